/** Days, months and times that a text names. */

const NAMED: readonly (readonly [RegExp, string])[] = [
  ...[
    "january|jan",
    "february|feb",
    "april|apr",
    "june|jun",
    "july|jul",
    "august|aug",
    "september|sept?",
  ].map(named),
  ...["october|oct", "november|nov", "december|dec"].map(named),
  ...["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "weekend"].map(named),
  ...[
    "today|tonight",
    "tomorrow",
    "yesterday",
    "noon|midday",
    "midnight",
    "morning",
    "afternoon",
    "evening",
  ].map(named),
  ...["spring", "summer", "autumn", "winter", "christmas", "easter", "now", "ago"].map(named),
  ...["previous|former", "upcoming"].map(named),
  // "may" and "march" are verbs as well.
  [
    /\b(?:\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:may|march)|(?:may|march)\s+\d|(?:in|since|until|of)\s+(?:may|march))\b/giu,
    "",
  ],
  [/\b(?:next|last|previous|this|coming)\s+(?:day|week|month|quarter|year)\b/giu, ""],
];

function named(spellings: string): readonly [RegExp, string] {
  return [new RegExp(`\\b(?:${spellings})s?\\b`, "giu"), spellings.split("|")[0]!];
}

/**
 * Names of days, months and times of day, in the order of this list; figures are numbers.
 *
 * @example datesIn("On Mondays in Dec.") // ["december", "monday"]
 */
export function datesIn(text: string): readonly string[] {
  return NAMED.flatMap(([pattern, name]) =>
    [...text.matchAll(pattern)].map(([found]) => name || found.toLowerCase().replace(/\s+/g, " ")),
  );
}

const FUTURE = /\b(?:will|shall|won't|going to|gonna)\b/iu;
const PAST = /\b(?:did|was|were|had|didn't|wasn't|weren't)\b/iu;

/**
 * Whether neither text asks of the future what the other one asks of the past.
 *
 * @example hasSameTense("Did it rain?", "Will it rain?") // false
 */
export function hasSameTense(a: string, b: string): boolean {
  const tense = (text: string) => Number(FUTURE.test(text)) - Number(PAST.test(text));
  return tense(a) * tense(b) !== -1;
}
