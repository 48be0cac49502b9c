/** What an engine still has of earlier prompts: the common head is not evaluated again. */

export interface PrefixCache {
  /** Tokens of the head that need no work. At least one token is always evaluated. */
  reuse(prompt: readonly number[]): number;
  /** After a reply: what the slot holds now. */
  keep(tokens: readonly number[]): void;
  /** After a shift: the slot no longer begins like any prompt. */
  clear(): void;
}

/**
 * @param hostTokens how many tokens of evicted prompts stay in host memory (0.30 and later: 8 GiB); 0 for the
 *   single slot of the in-process engines
 * @example
 * const cache = prefixCache(0);
 * cache.keep([1, 2, 3]);
 * cache.reuse([1, 2, 9]) // 2
 */
export function prefixCache(hostTokens: number): PrefixCache {
  let slot: readonly number[] = [];
  let host: (readonly number[])[] = [];
  return {
    reuse(prompt) {
      const heads = [slot, ...host].map((tokens) => commonHead(tokens, prompt));
      return Math.min(Math.max(...heads), prompt.length - 1);
    },
    keep(tokens) {
      if (hostTokens > 0 && commonHead(slot, tokens) < slot.length) {
        host.push(slot);
        let held = host.reduce((sum, entry) => sum + entry.length, 0);
        while (held > hostTokens && host.length > 0) held -= host.shift()?.length ?? 0;
      }
      host = host.filter((entry) => commonHead(entry, tokens) < entry.length);
      slot = tokens;
    },
    clear() {
      slot = [];
    },
  };
}

function commonHead(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length);
  let length = 0;
  while (length < end && a[length] === b[length]) length++;
  return length;
}
