/**
 * An order of calls in which those that share a prompt head follow each other, so that Ollama's prefix cache
 * still holds it when the next one comes.
 */

/** One call of a batch. */
export interface AffinityItem {
  readonly templateId: string | null;
  /** The prompt's text from its beginning, system part first. */
  readonly head: string;
}

/** A permutation: `order[k]` is the index of the call to make k-th, `position` its inverse. */
export interface AffinityOrder {
  readonly order: readonly number[];
  /** Where call i went: `results[i]` is what the `position[i]`-th call gave. */
  readonly position: readonly number[];
}

/** A shorter common head is not worth moving a call: a prefix of about 50 tokens. */
const SHARED_CHARACTERS = 200;

function shareHead(a: string, b: string): boolean {
  return a.length >= SHARED_CHARACTERS && a.slice(0, SHARED_CHARACTERS) === b.slice(0, SHARED_CHARACTERS);
}

/**
 * Calls of one template stand together, sorted by their text, which puts the longest shared heads next to each
 * other; templates that share a head (a system prompt) are neighbours. Otherwise nothing moves: groups come in
 * the order of their first call, and a batch without anything shared keeps its order.
 *
 * Cost: O(n log n) comparisons of texts, each up to their first difference.
 *
 * @example
 * affinityOrder([a1, b1, a2, b2].map((id) => ({ templateId: id[0], head: texts[id] }))).order // [0, 2, 1, 3]
 */
export function affinityOrder(items: readonly AffinityItem[]): AffinityOrder {
  const byHead = (a: number, b: number): number => {
    const [x, y] = [items[a]!.head, items[b]!.head];
    return x < y ? -1 : x > y ? 1 : a - b;
  };
  const templates = new Map<string | number, number[]>();
  for (const [index, { templateId }] of items.entries()) {
    const group = templates.get(templateId ?? index);
    if (group) group.push(index);
    else templates.set(templateId ?? index, [index]);
  }
  const groups = [...templates.values()].map((group) => group.sort(byHead));
  groups.sort((a, b) => byHead(a[0]!, b[0]!));
  const runs: number[][] = [];
  for (const group of groups) {
    const run = runs.at(-1);
    if (run && shareHead(items[run.at(-1)!]!.head, items[group[0]!]!.head)) run.push(...group);
    else runs.push([...group]);
  }
  const first = new Map(runs.map((run) => [run, Math.min(...run)]));
  const order = runs.sort((a, b) => first.get(a)! - first.get(b)!).flat();
  const position = new Array<number>(items.length);
  for (const [k, index] of order.entries()) position[index] = k;
  return { order, position };
}
