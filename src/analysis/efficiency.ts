/** The efficiency score and its parts. */
import type { EfficiencyScore } from "./types.js";

const BASE = 70;
const CACHES = 30;
const PER_FINDING = 10;
const MOST_FINDINGS = 30;

/**
 * 70 + 30 x hit rate - 10 for each finding, at most 30 of those, between 0 and 100. A finding is one cause in one
 * model, however often it came.
 *
 * @param hitRate 0..1; null without a cache, which then adds nothing
 * @example efficiency(0.5, 1).value // 75
 */
export function efficiency(hitRate: number | null, findings: number): EfficiencyScore {
  const caches = CACHES * Math.min(1, Math.max(0, hitRate ?? 0));
  const lost = Math.min(MOST_FINDINGS, PER_FINDING * findings);
  return {
    value: Math.min(100, Math.max(0, BASE + caches - lost)),
    formula: "70 + 30 x cache hit rate - 10 for each finding (30 at most)",
    base: BASE,
    caches,
    findings: lost === 0 ? 0 : -lost,
  };
}
