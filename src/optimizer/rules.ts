/**
 * Rules: a template's parameter with a value that is on trial. A rule is kept while its calls are not worse
 * than the template's calls without it; one that was reverted is remembered, so that it is not tried again.
 */
import { type RuleRecord, SCHEMA_VERSION } from "../records.js";

/** Successes among outcomes. */
export interface Outcomes {
  readonly success: number;
  readonly total: number;
}

/** A change for the store's `merge("rules", change)`: `counts` hold increments. */
export type RuleChange = Partial<Omit<RuleRecord, "id" | "counts">> & {
  readonly id: string;
  readonly counts?: Partial<Outcomes>;
};

/** A rule is judged at every eighth outcome. */
const OUTCOMES_PER_LOOK = 8;
/** Outcomes after which a rule that is not worse becomes active. */
const TRIAL_OUTCOMES = 16;
/** Probability that a rule as good as the baseline is ever reverted. */
const FALSE_REVERT_RATE = 0.05;

/**
 * Lower bound of the 95 % confidence interval of a success rate (Wilson 1927).
 *
 * @param z standard deviations; 1.96 for 95 %
 * @returns 0..1; 0 without outcomes
 * @example wilsonLowerBound({ success: 10, total: 10 }) // 0.722
 */
export function wilsonLowerBound({ success, total }: Outcomes, z = 1.96): number {
  if (total <= 0) return 0;
  const rate = success / total;
  const z2 = z * z;
  const centre = rate + z2 / (2 * total);
  const margin = z * Math.sqrt((rate * (1 - rate) + z2 / (4 * total)) / total);
  return Math.max(0, (centre - margin) / (1 + z2 / total));
}

/** ln n!: exact sums to 32, Stirling's series above (error below 1e-11). */
function logFactorial(n: number): number {
  if (n <= 32) {
    let sum = 0;
    for (let i = 2; i <= n; i++) sum += Math.log(i);
    return sum;
  }
  return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + 1 / (12 * n) - 1 / (360 * n ** 3);
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

/**
 * Fisher's exact test, one-sided: the probability of so few successes with the rule, or fewer, if it made no
 * difference. Exact, because rules are judged on few outcomes, where the normal approximation is not valid.
 *
 * @returns 0..1; 1 when either side has no outcomes
 * @example worseByChance({ success: 1, total: 8 }, { success: 8, total: 8 }) // 0.0007
 */
export function worseByChance(rule: Outcomes, baseline: Outcomes): number {
  if (rule.total === 0 || baseline.total === 0) return 1;
  const successes = rule.success + baseline.success;
  const all = logChoose(rule.total + baseline.total, successes);
  let probability = 0;
  for (let s = Math.max(0, successes - baseline.total); s <= rule.success; s++) {
    probability += Math.exp(logChoose(rule.total, s) + logChoose(baseline.total, successes - s) - all);
  }
  return Math.min(1, probability);
}

/** The id under which a rule is stored and found again. */
export function ruleId(templateId: string, parameter: string, value: RuleRecord["value"]): string {
  return `${templateId} ${parameter}=${JSON.stringify(value)}`;
}

/**
 * A new rule on trial.
 *
 * @param known rules of the store
 * @returns null when this rule is known, also as reverted
 */
export function proposeRule(
  known: Iterable<RuleRecord>,
  rule: Pick<RuleRecord, "templateId" | "parameter" | "value">,
  at: Date,
): RuleRecord | null {
  const id = ruleId(rule.templateId, rule.parameter, rule.value);
  for (const other of known) if (other.id === id) return null;
  const now = at.toISOString();
  const { templateId, parameter, value } = rule;
  return {
    schemaVersion: SCHEMA_VERSION,
    id,
    templateId,
    parameter,
    value,
    confidence: 0,
    state: "trial",
    createdAt: now,
    updatedAt: now,
    counts: { success: 0, total: 0 },
  };
}

/** One outcome of a call that the rule was applied to. */
export function observeRule(rule: RuleRecord, success: boolean, at: Date): RuleChange {
  const { success: successes, total } = rule.counts;
  return {
    id: rule.id,
    updatedAt: at.toISOString(),
    confidence: wilsonLowerBound({ success: successes + Number(success), total: total + 1 }),
    counts: { success: Number(success), total: 1 },
  };
}

/**
 * Judges a rule at every eighth outcome. Look k uses the level 0.05 / (k (k + 1)); the levels sum to 0.05, so
 * that looking again and again does not turn chance into evidence.
 *
 * @param baseline outcomes of the same template without the rule
 * @returns null when nothing changes; "reverted" is final
 */
export function decideRule(rule: RuleRecord, baseline: Outcomes, at: Date): RuleChange | null {
  const { total } = rule.counts;
  if (rule.state === "reverted" || total === 0 || total % OUTCOMES_PER_LOOK !== 0) return null;
  const look = total / OUTCOMES_PER_LOOK;
  const change = { id: rule.id, updatedAt: at.toISOString(), confidence: wilsonLowerBound(rule.counts) };
  if (worseByChance(rule.counts, baseline) < FALSE_REVERT_RATE / (look * (look + 1))) {
    return { ...change, state: "reverted" };
  }
  return rule.state === "trial" && total >= TRIAL_OUTCOMES ? { ...change, state: "active" } : null;
}

/** Values that rules may change, by parameter. */
export type Parameters = Readonly<Record<string, number | string | boolean | null>>;

/**
 * Parameters with the rules of a template applied. No rule lowers a window below the need: `numCtx` is at least
 * `needTokens`, and `outputReserve`, which is a part of the need, is only raised.
 *
 * @param needTokens prompt plus output reserve
 * @example applyRules({ numCtx: 8192 }, [{ ...rule, parameter: "numCtx", value: 2048 }], 5000).numCtx // 5000
 */
export function applyRules<P extends Parameters>(
  parameters: P,
  rules: Iterable<RuleRecord>,
  needTokens: number,
): P {
  const applied: Record<string, number | string | boolean | null> = { ...parameters };
  for (const { parameter, value, state } of rules) {
    const before = applied[parameter];
    if (state === "reverted" || !Object.hasOwn(parameters, parameter)) continue;
    if (before !== null && typeof before !== typeof value) continue;
    if (typeof value === "number" && !(value > 0 && Number.isFinite(value))) continue;
    if (parameter === "numCtx") applied[parameter] = Math.max(Number(value), needTokens);
    else if (parameter === "outputReserve") applied[parameter] = Math.max(Number(value), Number(before));
    else applied[parameter] = value;
  }
  return applied as P;
}
