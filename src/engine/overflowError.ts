/** The error of a prompt that fits no window: which bound it was, and what moves that bound. */
import { type LimitKind, WindowOverflow } from "../errors.js";
import type { Limit } from "../optimizer/decide.js";
import type { InstalledModel } from "./serverWatch.js";

/**
 * @param overflow the limit that the prompt passes
 * @param model a bound that a person set is not worth moving where the model itself is too small
 * @example
 * const overflow = { limit: 4096, kind: "maximum", needTokens: 6024 } as const;
 * overflowError(overflow, 5000, { name: "tiny", trainedNumCtx: 8192 }).message.includes("maximumWindow") // true
 */
export function overflowError(
  { kind, limit, needTokens }: Limit,
  promptTokens: number,
  { name, trainedNumCtx }: Pick<InstalledModel, "name" | "trainedNumCtx">,
): WindowOverflow {
  const isModelTooSmall = trainedNumCtx !== null && promptTokens >= trainedNumCtx;
  return new WindowOverflow({
    message: `The prompt's ${promptTokens} tokens and room for a reply are more than ${what(kind, limit, name)}`,
    remedy:
      kind === "trained" || isModelTooSmall
        ? `Shorten the prompt, set onOverflow to trim, or use a model with a larger window than ${trainedNumCtx ?? limit}.`
        : `${remedy(kind, needTokens, name)}; or shorten the prompt, or set onOverflow to trim.`,
    promptTokens,
    needTokens,
    limitTokens: limit,
    limit: kind,
  });
}

function what(kind: LimitKind, limit: number, name: string): string {
  switch (kind) {
    case "trained":
      return `the ${limit} tokens that "${name}" was trained for`;
    case "ceiling":
      return `a window of ${limit} holds, and a larger one ran out of memory`;
    case "maximum":
      return `a window of ${limit} holds, and maximumWindow allows no larger one`;
    case "allowed":
      return `a window of ${limit} holds, and the ceiling of "${name}" that a person set allows no larger one`;
    case "explicit":
      return `the ${limit} tokens set as numCtx`;
    case "pinned":
      return `the ${limit} tokens that the window of "${name}" is pinned to`;
  }
}

function remedy(kind: Exclude<LimitKind, "trained">, needTokens: number, name: string): string {
  switch (kind) {
    case "ceiling":
      return `Make room (\`ollama stop\` other models, a quantized KV cache) and have it tried again at once by \`inspect forget ceiling ${name}\``;
    case "maximum":
      return `Raise maximumWindow to ${needTokens} or more`;
    case "allowed":
      return `Raise it by \`inspect set ceiling ${name} ${needTokens}\``;
    case "explicit":
      return `Set numCtx to ${needTokens} or more, or leave numCtx out so that the window can grow`;
    case "pinned":
      return `Let the window grow by \`inspect unpin window ${name}\``;
  }
}
