import { THOUGHT_END } from "./chatMessage.js";
import { SLICE, slicesOf } from "./slices.js";
import { wellFormed } from "./wellFormed.js";

/** How a template writes a text: by name, so that it can be kept. */
export type TextForm =
  | "asIs"
  | "trimmed"
  | "trimmedStart"
  | "trimmedEnd"
  | "asciiTrimmed"
  | "asciiTrimmedStart"
  | "asciiTrimmedEnd"
  | "json"
  | "jsonHtml"
  | "jsonAscii"
  | "answer"
  | "answerFromLine"
  | "answerTrimmed";

const asciiSpace = " \t\n\v\f\r";
const jsonBody = (text: string): string => JSON.stringify(text).slice(1, -1);

/** From the plainest to the strangest; a form is what it makes of a text. */
export const textForms: Readonly<Record<TextForm, (text: string) => string>> = {
  asIs: (text) => text,
  /** Jinja's `trim`, Go's `TrimSpace`. */
  trimmed: (text) => text.trim(),
  trimmedStart: (text) => text.trimStart(),
  trimmedEnd: (text) => text.trimEnd(),
  /** Trimming that does not know U+00A0 and its like. */
  asciiTrimmed: (text) => asciiTrimmedEnd(asciiTrimmedStart(text)),
  asciiTrimmedStart,
  asciiTrimmedEnd,
  /** Inside a JSON string, as Llama 3 shows results of tools. */
  json: jsonBody,
  jsonHtml: (text) => escapeHtml(jsonBody(text)),
  jsonAscii: (text) => escapeNonAscii(jsonBody(text)),
  /** Without the thinking in front: DeepSeek R1 as it is, Qwen 3 without the line breaks behind it. */
  answer,
  answerFromLine: (text) => answer(text).replace(/^\n+/, ""),
  answerTrimmed: (text) => answer(text).trim(),
};

function answer(text: string): string {
  const end = text.lastIndexOf(THOUGHT_END);
  return end < 0 ? text : text.slice(end + THOUGHT_END.length);
}

/** @example writeText("trimmed", " a ") // "a" */
export function writeText(form: TextForm, text: string): string {
  return textForms[form](wellFormed(text));
}

/** The same in slices. What escapes goes by character, what trims looks at the ends only. */
export function* writeInSlices(form: TextForm, text: string): Generator<string> {
  const escapes = form.startsWith("json");
  const trimmed = escapes || text.length <= SLICE ? text : textForms[form](text);
  for (const slice of slicesOf(trimmed)) {
    yield escapes || text.length <= SLICE ? writeText(form, slice) : wellFormed(slice);
  }
}

/** How a template writes the arguments of a tool call, e.g. `"spaced,sorted,html"`. */
export type JsonForm = string;

/** All ways known: Go's encoder (compact, HTML escaped), Python's and Jinja's (spaced, maybe ASCII). */
export const jsonForms: readonly JsonForm[] = ["compact", "spaced"].flatMap((spacing) =>
  ["given", "sorted"].flatMap((order) =>
    ["plain", "html", "ascii"].flatMap((escaping) =>
      ["bare", "quoted"].map((quoting) => [spacing, order, escaping, quoting].join()),
    ),
  ),
);

/** @example writeJson("spaced,sorted,plain,bare", { b: 1, a: 2 }) // '{"a": 2, "b": 1}' */
export function writeJson(form: JsonForm, value: unknown): string {
  const [spacing, order, escaping, quoting] = form.split(",");
  let text = writeValue(
    value,
    spacing === "spaced" ? ", " : ",",
    spacing === "spaced" ? ": " : ":",
    order === "sorted",
  );
  if (escaping === "html") text = escapeHtml(text);
  if (escaping === "ascii") text = escapeNonAscii(text);
  return wellFormed(quoting === "quoted" ? jsonBody(text) : text);
}

function writeValue(value: unknown, comma: string, colon: string, sorted: boolean): string {
  if (Array.isArray(value))
    return `[${value.map((item) => writeValue(item, comma, colon, sorted)).join(comma)}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (sorted) entries.sort(([a], [b]) => (a < b ? -1 : 1));
  const members = entries.map(
    ([key, item]) => JSON.stringify(key) + colon + writeValue(item, comma, colon, sorted),
  );
  return `{${members.join(comma)}}`;
}

function escapeHtml(text: string): string {
  return text.replace(/[<>&\u2028\u2029]/g, unicodeEscape);
}

function escapeNonAscii(text: string): string {
  return text.replace(/[^\0-\x7f]/g, unicodeEscape);
}

function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function asciiTrimmedStart(text: string): string {
  let start = 0;
  while (start < text.length && asciiSpace.includes(text.charAt(start))) start++;
  return text.slice(start);
}

/** A regular expression takes 17 ms for 10 MB: it tries each space. */
function asciiTrimmedEnd(text: string): string {
  let end = text.length;
  while (end > 0 && asciiSpace.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}
