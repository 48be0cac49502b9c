/** The word that was meant. */

/**
 * The candidate that is fewest edits away, if that is at most a third of the word's letters. Two are forgiven in
 * any word: letters that changed places are two edits.
 *
 * @example nearest("calibrat", ["serve", "calibrate"]) // "calibrate"
 * @example nearest("xyz", ["serve", "calibrate"]) // undefined
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const tolerated = Math.max(2, Math.floor(word.length / 3));
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .filter(({ distance }) => distance <= tolerated)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate;
}

/**
 * Edits from one word to the other: letters put in, left out, replaced (Levenshtein 1966, in the row form of Wagner
 * and Fischer 1974).
 *
 * @example editDistance("kitten", "sitting") // 3
 */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + Number(from[i - 1] !== to[j - 1]);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
