/** `batch()` in an order, and at a pace, that Ollama's prefix cache likes. */
import { affinityOrder } from "../optimizer/prefixAffinity.js";

/** Characters of a prompt that are compared: about a window of 4,096 tokens. */
export const HEAD_CHARACTERS = 16_384;
/** A shorter common beginning is not worth keeping an order for: about 50 tokens. */
const WORTH_CHARACTERS = 200;

/**
 * The order in which calls whose prompts begin alike follow each other; null when every order is as good: nothing
 * is shared, or all of it by all. No template is looked up: what the prefix cache can reuse is exactly the common
 * beginning, also of a prompt never seen before.
 *
 * @param prompts text of each call's prompt, from its beginning
 * @example
 * const [cook, judge] = ["cook ".repeat(50), "judge ".repeat(50)];
 * orderThatMatters([cook + 1, judge + 1, cook + 2, judge + 2]) // [0, 2, 1, 3]
 * orderThatMatters([cook + 1, cook + 2]) // null
 */
export function orderThatMatters(prompts: readonly string[]): readonly number[] | null {
  const heads = prompts.map((prompt) => prompt.slice(0, HEAD_CHARACTERS));
  const { order } = affinityOrder(heads.map((head) => ({ templateId: null, head })));
  const shared = order.slice(1).map((index, k) => commonLength(heads[order[k]!]!, heads[index]!));
  return Math.max(...shared) - Math.min(...shared) >= WORTH_CHARACTERS ? order : null;
}

function commonLength(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let length = 0;
  while (length < end && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}

/**
 * Makes calls in an order that the server keeps. Ollama takes waiting calls in any order (0.24.0: of 16 sent 50 ms
 * apart, 7 were overtaken), so only one call waits: as many are under way as the server was seen to work on at
 * once, and one more. Nothing is slower for it, as the server never runs dry.
 *
 * @param mostAtOnce the caller's own limit
 * @param workMs how long the server worked on a reply, waiting left out, in milliseconds
 * @param now milliseconds since any moment
 * @returns in the caller's order; rejects with the first error, and begins no further call then
 */
export async function inOrder<R>(
  order: readonly number[],
  call: (index: number) => Promise<R>,
  mostAtOnce: number,
  workMs: (result: R) => number,
  now: () => number = () => performance.now(),
): Promise<R[]> {
  const results = new Array<R>(order.length);
  const spans: Span[] = [];
  let underWay = 0;
  let next = 0;
  let atOnce = 1;
  await new Promise<void>((resolve, reject) => {
    const begin = async (index: number): Promise<void> => {
      const result = await call(index);
      results[index] = result;
      const end = now();
      const span = { start: end - workMs(result), end };
      atOnce = Math.max(atOnce, 1 + spans.filter((other) => overlap(span, other)).length);
      spans.push(span);
      underWay--;
      if (next < order.length) proceed();
      else if (underWay === 0) resolve();
    };
    const proceed = (): void => {
      while (next < order.length && underWay < Math.min(atOnce + 1, mostAtOnce)) {
        underWay++;
        begin(order[next++]!).catch((error: unknown) => {
          next = order.length;
          reject(error);
        });
      }
    };
    proceed();
  });
  return results;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Worked on at the same time for most of the shorter one; clocks and sockets blur the rest. */
function overlap(a: Span, b: Span): boolean {
  const shared = Math.min(a.end, b.end) - Math.max(a.start, b.start);
  return shared > 0.5 * Math.min(a.end - a.start, b.end - b.start);
}
