/** Text that no cache has seen, of a wanted length. */

const WORDS =
  "about after all and are before but can come could day do each find first for from get give go have he house how in into is it know letter line long look made make many may more most name new no not now number of old on one or our out people place read right room said see she small so some take than that the their them then there these they thing this time to two up use want was water way we well were what when which who will with word work world would write year you your".split(
    " ",
  );

/**
 * Seeded nonsense of so many words.
 *
 * @example prose(5, () => 0) // "about about about about about."
 */
export function prose(words: number, random: () => number): string {
  const chosen = Array.from(
    { length: Math.max(1, words) },
    () => WORDS[Math.floor(random() * WORDS.length)]!,
  );
  return `${chosen.map((word, index) => (index % 12 === 11 ? `${word}.` : word)).join(" ")}.`;
}

/** Mulberry32: 32 bits of state, uniform in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
