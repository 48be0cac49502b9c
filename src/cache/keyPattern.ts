/** Which entries are meant: a key, a pattern, a regular expression. */

/**
 * Tells whether a key is meant. In a text with `*` or `?` these stand for any characters and for one.
 *
 * @example keyPattern("qwen3:8b/*")("qwen3:8b/1f") // true
 * @example keyPattern("qwen3:8b/*")("qwen3:14b/1f") // false
 * @example keyPattern(/^a/)("ab") // true
 */
export function keyPattern(pattern: string | RegExp): (key: string) => boolean {
  if (pattern instanceof RegExp) {
    // With g or y a RegExp remembers where it was.
    const fresh = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
    return (key) => fresh.test(key);
  }
  const parts = [...pattern];
  return (key) => matches(parts, [...key]);
}

/**
 * Not by a regular expression: its time grows with a power of the number of `*`; with eight of them a key of 100
 * characters took more than ten minutes.
 */
function matches(pattern: readonly string[], key: readonly string[]): boolean {
  let [at, star, from] = [0, -1, 0];
  for (let position = 0; position < key.length; ) {
    if (pattern[at] === "*") {
      star = at++;
      from = position;
    } else if (pattern[at] === "?" || pattern[at] === key[position]) {
      at++;
      position++;
    } else if (star >= 0) {
      // The last `*` takes one character more.
      at = star + 1;
      position = ++from;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** Whether a text is a pattern rather than one key. */
export function isPattern(text: string): boolean {
  return /[*?]/.test(text);
}
