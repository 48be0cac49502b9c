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

  /** llama-server's rules (`server_prompt_cache`): what is mostly lost is saved, what fits better comes back. */
  function exchange(prompt: readonly number[]): void {
    const head = commonHead(slot, prompt);
    if (slot.length > 0 && head < slot.length / 2) {
      const leaving = slot;
      host = [...host.filter((entry) => commonHead(entry, leaving) < entry.length), leaving];
      let held = host.reduce((sum, entry) => sum + entry.length, 0);
      while (held > hostTokens && host.length > 0) held -= host.shift()?.length ?? 0;
    }
    let best = { entry: slot, head, kept: slot.length > 0 ? head / slot.length : 0 };
    for (const entry of host) {
      const common = commonHead(entry, prompt);
      const kept = common / entry.length;
      if (kept >= 0.25 && kept > best.kept && common > best.head) best = { entry, head: common, kept };
    }
    if (best.entry === slot) return;
    slot = best.entry;
    host = host.filter((entry) => entry !== best.entry);
  }

  return {
    reuse(prompt) {
      if (hostTokens > 0) exchange(prompt);
      return Math.min(commonHead(slot, prompt), prompt.length - 1);
    },
    keep(tokens) {
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
