/** Signs, single letters and letters behind figures: what is neither a word nor a number, and changes both. */

const SIGNS = [
  // Operators, arrows, the end of "C++" and "C#"; a lone "&" is "and".
  /!=|&&+|[+*/<>=|^~#@\\≤≥≠±×÷→←]+|\p{Extended_Pictographic}|\(\)|\b[KMGT]b\b/gu,
  // Signs of numbers, subtraction, blood groups and grades.
  /(?<=^|[\s(\d])[-−–](?=\s?\d)|(?<=\p{L})[-−](?=\s|$)|(?<=\s)[!?%](?=\s)/gu,
  // A letter that stands for something; "a" and "I" do so in capitals, and behind another word.
  /(?<![\p{L}\p{N}'.°]|\d\s|°\s)(?:[B-HJ-Zb-hj-z]|(?<=\p{L}\s)A)(?![\p{L}\p{N}'.])/gu,
  // "12B", but no unit, ordinal or decade.
  /\d(?!(?:st|nd|rd|th|s|m|k|g|h|l|w|v)\b)\p{L}\b/giu,
];

/**
 * Signs that change a meaning, by kind and in their order.
 *
 * @example signsIn("Is -5 + 3 in C++ the room 12B?") // ["+", "++", "-", "c", "2b"]
 */
export function signsIn(text: string): readonly string[] {
  return SIGNS.flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([sign]) => (/b$/.test(sign) ? sign : sign.toLowerCase())),
  );
}
