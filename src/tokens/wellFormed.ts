const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;

/**
 * The text as a server gets it: lone surrogates become U+FFFD, whether they travel as UTF-8 or as a JSON escape.
 *
 * @example wellFormed("a\ud800b") // "a\ufffdb"
 */
export function wellFormed(text: string): string {
  return LONE_SURROGATE.test(text) ? text.replace(LONE_SURROGATES, "\ufffd") : text;
}
