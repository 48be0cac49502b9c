/** Whether a server cut or shifted a prompt: no version says so. */
import type { CallFacts, Decided } from "./callFacts.js";

/**
 * Whether the server cut the prompt. A cut leaves C tokens (to 0.24), C - 1 (0.30.0 to 0.30.10) or C/2 + 2 or
 * + 3 (0.30.11 on) of a window of C; and only a prompt that exceeds the window is cut.
 *
 * @param promptEvalCount `prompt_eval_count` of the reply
 * @param window tokens; null when it was the server's choice and is not known
 */
export function isCut(prompt: CallFacts["prompt"], promptEvalCount: number, window: number | null): boolean {
  if (prompt === null) return window !== null && hasCutSize(promptEvalCount, window);
  if (prompt.source === "exact") {
    // A count may be off by a constant of the template until the first reply.
    if (window === null) return promptEvalCount < 0.98 * prompt.tokens - 16;
    return prompt.tokens > window && promptEvalCount <= window && promptEvalCount < prompt.tokens;
  }
  return window !== null && prompt.upperBound > window && hasCutSize(promptEvalCount, window);
}

/**
 * Whether the server cut a prompt that nobody counted.
 *
 * @param prompt an estimate of its tokens, right within a factor of two, and what it certainly does not exceed
 * @param window tokens; null when it is not known
 * @returns null where that cannot be told
 * @example seemsCut({ estimate: 9000, upperBound: 36000 }, 2051, 4096) // true
 */
export function seemsCut(
  { estimate, upperBound }: { readonly estimate: number; readonly upperBound: number },
  promptEvalCount: number,
  window: number | null,
): boolean | null {
  if (upperBound <= (window ?? promptEvalCount)) return false;
  // Without the window a long run of one character, of which tokenizers make much less, must not look like a cut.
  if (window === null) return promptEvalCount < estimate / 4 ? true : null;
  if (hasCutSize(promptEvalCount, window)) return true;
  // Of a conversation the server drops whole messages, which leaves any number.
  if (promptEvalCount > (3 / 4) * estimate) return false;
  return estimate > window && promptEvalCount < estimate / 2 ? true : null;
}

function hasCutSize(count: number, window: number): boolean {
  const half = window >> 1;
  return count === window || count === window - 1 || count === half + 2 || count === half + 3;
}

/**
 * Whether prompt and reply passed the window, so that the engine pushed the middle of the prompt out; a reply
 * that fills it to the last token and says `length` was stopped by its `num_predict`.
 */
export function isShifted(
  decided: Pick<Decided, "numPredict">,
  promptEvalCount: number,
  evalCount: number,
  doneReason: string | null,
  window: number | null,
): boolean {
  if (window === null) return false;
  const total = promptEvalCount + evalCount;
  const wasStopped = doneReason === "length" && decided.numPredict === evalCount;
  return total > window || (total === window && !wasStopped);
}
