/** What kind of answer a question wants. */

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/\b(?:how (?:many|much)|what (?:number|amount) of)\b/iu, "amount"],
  [
    /\b(?:when|what (?:time|date|day|year)|which (?:date|day|year)|(?:in|at) (?:what|which) (?:time|year|day|month)|(?:date|year) of)\b/iu,
    "time",
  ],
  [/\b(?:where|(?:in|at|to) (?:what|which) (?:place|country|city))\b/iu, "place"],
  [/\b(?:why|how come|what is the reason|for what reason)\b/iu, "reason"],
  [/\b(?:who|whom|whose|by whom|which person)\b/iu, "person"],
  [/\bhow often|how frequently|how many times\b/iu, "rate"],
  [/\bhow (?:long|many (?:minutes|hours|days|weeks|months|years))\b/iu, "duration"],
];

/** These no other wording asks for. */
const CERTAIN = new Set(["time", "place", "reason"]);
const OPEN = /\b(?:what|which|who|whom|whose|when|where|why|how)\b/iu;
/** Asks for a way to do something, whatever else another wording names. */
const MANNER = /\bhow\b/iu;
const AUXILIARY =
  "(?:is|are|am|was|were|do|does|did|can|could|may|might|must|shall|should|will|would|has|have|had)";
const CLOSED = new RegExp(`^(?:.*,\\s*)?${AUXILIARY}\\b`, "iu");
/** These are orders in the form of a question. */
const POLITE = /\b(?:can|could|will|would) you\b|\bdo you know\b/iu;

/**
 * Whether two questions can want the same kind of answer. Where one names the kind and the other does not ("Who is
 * the mayor?", "Name the mayor."), all their other words must agree.
 *
 * @param hasSameWords nothing else is asked about
 * @example canWantTheSame("Is the shop open?", "When is the shop open?", true) // false
 * @example canWantTheSame("Who is the mayor?", "Name the mayor.", true) // true
 * @example canWantTheSame("Who built the tower?", "What is the tower?", false) // false
 */
export function canWantTheSame(a: string, b: string, hasSameWords: boolean): boolean {
  if ((isClosed(a) && OPEN.test(b)) || (isClosed(b) && OPEN.test(a))) return false;
  const [inA, inB] = [kindsAsked(a), kindsAsked(b)];
  if (inA.length > 0 && inB.length > 0) return inA.some((kind) => inB.includes(kind));
  const oneSided = [...inA, ...inB];
  if (oneSided.length === 0) return true;
  const other = inA.length === 0 ? a : b;
  return hasSameWords && !oneSided.some((kind) => CERTAIN.has(kind)) && !MANNER.test(other);
}

/** To be answered by yes or no. */
function isClosed(text: string): boolean {
  return CLOSED.test(text.trim()) && !OPEN.test(text) && !POLITE.test(text);
}

/**
 * The kinds of answer that a question's words ask for; empty for what, which, how and orders, which go with any.
 *
 * @example kindsAsked("Who founded Ikea, and when?") // ["time", "person"]
 */
export function kindsAsked(text: string): readonly string[] {
  return KINDS.filter(([pattern]) => pattern.test(text)).map(([, kind]) => kind);
}
