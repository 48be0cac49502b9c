/** `batch()` in an order that Ollama's prefix cache likes. */
import { affinityOrder } from "../optimizer/prefixAffinity.js";

/** Characters of a prompt that are compared: about a window of 4,096 tokens. */
const HEAD_CHARACTERS = 16_384;

/**
 * Runs calls whose prompts begin alike one after the other; results come back in the caller's order.
 *
 * No template is looked up: what the prefix cache can reuse is exactly the common beginning, also of a prompt
 * never seen before.
 *
 * @param prompts text of each call's prompt, from its beginning
 * @param run makes the calls of the given indexes in that order
 */
export async function inAffinityOrder<R>(
  prompts: readonly string[],
  run: (order: readonly number[]) => Promise<R[]>,
): Promise<R[]> {
  const items = prompts.map((prompt) => ({ templateId: null, head: prompt.slice(0, HEAD_CHARACTERS) }));
  const { order, position } = affinityOrder(items);
  const results = await run(order);
  return position.map((k) => results[k]!);
}
