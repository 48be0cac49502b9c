/**
 * The entry of a map, made when it is first asked for.
 *
 * @example entryOf(new Map([["a", 1]]), "a", () => 2) // 1
 */
export function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
