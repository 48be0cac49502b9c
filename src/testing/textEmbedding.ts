/**
 * A vector that texts with common tokens share: a bag of tokens hashed into signs, normalised. Good enough to rank
 * by similarity in a test; it knows nothing of meaning.
 *
 * @param length dimensions of the vector
 * @example embeddingOf([1, 2], 4).length // 4
 */
export function embeddingOf(tokens: readonly number[], length: number): number[] {
  const vector = new Array<number>(length).fill(0);
  for (const token of tokens) {
    let hash = token ^ 0x9e3779b9;
    for (let dimension = 0; dimension < length; dimension++) {
      hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) + dimension;
      vector[dimension]! += hash & 0x10000 ? 1 : -1;
    }
  }
  const norm = Math.hypot(...vector) || 1;
  return vector.map((value) => Math.fround(value / norm));
}
