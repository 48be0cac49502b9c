/**
 * The rule that every template gets once its replies are known: keep as much room as its replies needed. It is on
 * trial like any other: when replies get worse with it (cut short, empty, broken) than they were without, it is
 * reverted for good, and the model's or the default reserve stands in.
 */
import { decideRule, type Outcomes, observeRule, proposeRule, ruleId } from "../optimizer/rules.js";
import type { TemplateRecord } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";

const PARAMETER = "outputReserve";
const VALUE = "template";
/** Replies below this quality are a failure of the rule. */
const GOOD = 0.5;

export class ReserveRule {
  constructor(private readonly store: OptimizerStore) {}

  /** Whether a template's own figures may decide its reserve. */
  mayApply(templateId: string): boolean {
    return this.store.get("rules", ruleId(templateId, PARAMETER, VALUE))?.state !== "reverted";
  }

  /** Learns from a reply whose reserve came from its template. */
  observe(templateId: string, quality: number, at: Date): void {
    const id = ruleId(templateId, PARAMETER, VALUE);
    if (!this.store.get("rules", id)) {
      const proposed = proposeRule([], { templateId, parameter: PARAMETER, value: VALUE }, at);
      if (proposed) void this.store.merge("rules", proposed);
    }
    const rule = this.store.get("rules", id);
    if (!rule) return;
    void this.store.merge("rules", observeRule(rule, quality >= GOOD, at));
    const observed = this.store.get("rules", id);
    const change =
      observed &&
      decideRule(observed, baseline(this.store.get("templates", templateId), observed.counts), at);
    if (change) void this.store.merge("rules", change);
  }
}

/** The template's calls without the rule. */
function baseline(template: TemplateRecord | undefined, withRule: Outcomes): Outcomes {
  if (!template) return { success: 0, total: 0 };
  const { observations, censored, errors } = template.counts;
  const total = Math.max(0, observations - withRule.total);
  const failures = Math.max(0, (censored ?? 0) + (errors ?? 0) - (withRule.total - withRule.success));
  return { success: Math.max(0, total - failures), total };
}
