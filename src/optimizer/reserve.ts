/** Room kept for the reply. */
import type { Configuration } from "./configuration.js";

/** Tokens kept for the reply, and where the figure comes from. */
export interface OutputReserve {
  readonly tokens: number;
  readonly source: "numPredict" | "requested" | "template" | "model" | "default" | "none";
}

export interface ReserveInputs {
  /** What the user set; 0 and below count as unset (Ollama: -1 is "no limit"). */
  readonly numPredict?: number | undefined;
  /** `numPredict` is the most that a reply may have, which says little about what it needs. */
  readonly isMereLimit?: boolean;
  /** What the user asked to keep free (`/opt reserve=`). */
  readonly requested?: number | undefined;
  /** 99th percentile of the template's output tokens, thinking included, censored samples left out. */
  readonly templateP99?: number | undefined;
  readonly modelP99?: number | undefined;
  /** The model thinks before it answers. */
  readonly thinks: boolean;
  readonly isEmbedding?: boolean;
}

/**
 * Output reserve of a call: `numPredict` if set, else the template's p99, else the model's, else a default.
 *
 * A mere limit is kept free only where it is the smaller one: programs send 4,096 to 16,384 with questions whose
 * answers have 200.
 *
 * @returns whole tokens
 * @example outputReserve({ thinks: false }, DEFAULT_CONFIGURATION) // { tokens: 1024, source: "default" }
 */
export function outputReserve(
  inputs: ReserveInputs,
  config: Pick<Configuration, "outputReserve" | "thinkingReserve" | "bufferMultiplier">,
): OutputReserve {
  if (inputs.isEmbedding) return { tokens: 0, source: "none" };
  const { numPredict } = inputs;
  if (numPredict === undefined || numPredict <= 0) return expectedOutput(inputs, config);
  const whole: OutputReserve = { tokens: Math.ceil(numPredict), source: "numPredict" };
  if (!inputs.isMereLimit) return whole;
  const expected = expectedOutput(inputs, config);
  return whole.tokens <= expected.tokens ? whole : expected;
}

function expectedOutput(
  inputs: ReserveInputs,
  config: Pick<Configuration, "outputReserve" | "thinkingReserve" | "bufferMultiplier">,
): OutputReserve {
  if (inputs.requested !== undefined && inputs.requested > 0) {
    return { tokens: Math.ceil(inputs.requested), source: "requested" };
  }
  const learned = (p99: number) => Math.max(1, Math.ceil(p99 * config.bufferMultiplier));
  if (inputs.templateP99 !== undefined) return { tokens: learned(inputs.templateP99), source: "template" };
  if (inputs.modelP99 !== undefined) return { tokens: learned(inputs.modelP99), source: "model" };
  return { tokens: inputs.thinks ? config.thinkingReserve : config.outputReserve, source: "default" };
}
