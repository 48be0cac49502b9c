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
  const source = pattern
    .replace(/[\\^$.+()[\]{}|]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const whole = new RegExp(`^${source}$`, "su");
  return (key) => whole.test(key);
}

/** Whether a text is a pattern rather than one key. */
export function isPattern(text: string): boolean {
  return /[*?]/.test(text);
}
