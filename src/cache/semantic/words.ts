/** English text as words, for comparison. */

/** A word as it stands in a text. */
export interface Word {
  /** Lower case, without a possessive. */
  readonly text: string;
  /** As written. */
  readonly written: string;
  /** Begins the text or a sentence. */
  readonly isFirst: boolean;
}

const WORD = /[\p{L}\p{N}]+(?:['.\-_:/&][\p{L}\p{N}]+)*/gu;
/** Contractions, and verbs of two words. */
const PHRASES: readonly (readonly [RegExp, string])[] = [
  [/\bcan't\b/gi, "can not"],
  [/\bcannot\b/gi, "can not"],
  [/\bwon't\b/gi, "will not"],
  [/n't\b/gi, " not"],
  [/'(?:re|ve|ll|d|m)\b/gi, ""],
  [/\b(?:turn|switch)(?:ed|ing)?((?:\s+\w+){0,3}?)\s+on\b/gi, "enable$1"],
  [/\b(?:turn|switch|shut)(?:ed|ing|ting)?((?:\s+\w+){0,3}?)\s+off\b/gi, "disable$1"],
];

/**
 * The words of a text in their order.
 *
 * @example wordsIn("Don't use Anna's file.txt!").map(({ text }) => text) // ["do", "not", "use", "anna", "file.txt"]
 */
export function wordsIn(text: string): readonly Word[] {
  let plain = text.normalize("NFKC").replace(/[‘’]/g, "'");
  for (const [pattern, expanded] of PHRASES) plain = plain.replace(pattern, expanded);
  let end = 0;
  return [...plain.matchAll(WORD)].map((match) => {
    const between = plain.slice(end, match.index);
    const isFirst = end === 0 || /[.!?:]\s|\n/.test(between);
    end = match.index + match[0].length;
    const written = match[0].replace(/'s?$/i, "");
    return { text: written.toLowerCase(), written, isFirst };
  });
}

const SUFFIXES: readonly (readonly [RegExp, string])[] = [
  [/(?:sses)$/, "ss"],
  [/ies$/, "y"],
  [/([^s])s$/, "$1"],
  [/ied$/, "y"],
  [/(.{3,})(?:ing|ed)$/, "$1"],
  [/(.{3,})(?:ation|ition)$/, "$1"],
  [/(.{3,})(?:ment|ness)$/, "$1"],
  [/(.{3,})(?:ally|ly)$/, "$1"],
  [/(.{4,})al$/, "$1"],
  [/(.{3,})e$/, "$1"],
];

/**
 * The stem of an English word, near enough for comparison (after Porter, "An algorithm for suffix stripping", 1980).
 *
 * @example stem("watering") // "water"
 * @example stem("cancelled") // "cancel"
 */
export function stem(word: string): string {
  let stemmed = word;
  for (const [suffix, left] of SUFFIXES) stemmed = stemmed.replace(suffix, left);
  return stemmed.length > 3 ? stemmed.replace(/([^aeiouslz])\1$/, "$1").replace(/ll$/, "l") : stemmed;
}
