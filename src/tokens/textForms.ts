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
  | "jsonAscii";

const asciiSpace = " \\t\\n\\v\\f\\r";
const startOf = new RegExp(`^[${asciiSpace}]+`);
const endOf = new RegExp(`[${asciiSpace}]+$`);
const jsonBody = (text: string): string => JSON.stringify(text).slice(1, -1);

/** From the plainest to the strangest; a form is what it makes of a text. */
export const textForms: Readonly<Record<TextForm, (text: string) => string>> = {
  asIs: (text) => text,
  /** Jinja's `trim`, Go's `TrimSpace`. */
  trimmed: (text) => text.trim(),
  trimmedStart: (text) => text.trimStart(),
  trimmedEnd: (text) => text.trimEnd(),
  /** Trimming that does not know U+00A0 and its like. */
  asciiTrimmed: (text) => text.replace(startOf, "").replace(endOf, ""),
  asciiTrimmedStart: (text) => text.replace(startOf, ""),
  asciiTrimmedEnd: (text) => text.replace(endOf, ""),
  /** Inside a JSON string, as Llama 3 shows results of tools. */
  json: jsonBody,
  jsonHtml: (text) => escapeHtml(jsonBody(text)),
  jsonAscii: (text) => escapeNonAscii(jsonBody(text)),
};

/** @example writeText("trimmed", " a ") // "a" */
export function writeText(form: TextForm, text: string): string {
  return textForms[form](wellFormed(text));
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
