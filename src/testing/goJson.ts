/** Bad bodies are refused in the words of Go's JSON decoder, which is what clients of Ollama see. */

/** A body or option that is refused: status and text as Ollama has them. */
export class Refusal extends Error {
  override name = "Refusal";
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * @param body as it came over the wire
 * @throws Refusal 400
 * @example parseBody('{"messages":[{]}') // throws: invalid character ']' looking for beginning of object key string
 */
export function parseBody(body: string): Record<string, unknown> {
  if (body.trim() === "") throw new Refusal(400, "missing request body");
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new Refusal(400, syntaxError(body));
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new Refusal(400, `json: cannot unmarshal ${goKind(parsed)} into Go value of type api.Request`);
  }
  return parsed as Record<string, unknown>;
}

/** Type of a field in Go's words, and whether a value has it. */
const fieldTypes = {
  string: { go: "string", fits: (value: unknown): boolean => typeof value === "string" },
  boolean: { go: "bool", fits: (value: unknown): boolean => typeof value === "boolean" },
  messages: { go: "[]api.Message", fits: (value: unknown): boolean => Array.isArray(value) },
  tools: { go: "api.Tools", fits: (value: unknown): boolean => Array.isArray(value) },
  options: {
    go: "map[string]interface {}",
    fits: (value: unknown): boolean => typeof value === "object" && !Array.isArray(value),
  },
} as const;

/**
 * Checks named fields of a body; absent ones and null are fine.
 *
 * @param struct Go's name of the request, e.g. "ChatRequest"
 * @throws Refusal 400
 */
export function expectFields(
  body: Readonly<Record<string, unknown>>,
  struct: string,
  fields: Readonly<Record<string, keyof typeof fieldTypes>>,
): void {
  for (const [name, type] of Object.entries(fields)) {
    const value = body[name];
    if (value === undefined || value === null || fieldTypes[type].fits(value)) continue;
    throw wrongType(value, `${struct}.${name}`, fieldTypes[type].go);
  }
}

/** Go's words for a value of the wrong type. */
export function wrongType(value: unknown, field: string, goName: string): Refusal {
  return new Refusal(
    400,
    `json: cannot unmarshal ${goKind(value)} into Go struct field ${field} of type ${goName}`,
  );
}

const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * `keep_alive` in milliseconds: a number is seconds, a string is a Go duration, negative is for ever.
 *
 * @returns undefined when it was left out
 * @throws Refusal 400
 * @example keepAliveMs("10m") // 600000
 */
export function keepAliveMs(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number") return value < 0 ? Number.POSITIVE_INFINITY : value * 1000;
  if (typeof value !== "string") throw new Refusal(400, `Unsupported type: '${goType(value)}'`);
  const sign = /^[+-]/.test(value) ? value[0] : "";
  const digits = value.slice(sign ? 1 : 0);
  if (digits === "0") return 0;
  if (!/^[\d.]/.test(digits)) throw new Refusal(400, `time: invalid duration ${JSON.stringify(value)}`);
  let total = 0;
  for (let rest = digits; rest !== ""; ) {
    const [whole, number, unit] = /^(\d*\.?\d*)([^\d.]*)/.exec(rest)!;
    if (number === "" || number === ".")
      throw new Refusal(400, `time: invalid duration ${JSON.stringify(value)}`);
    if (unit === "") throw new Refusal(400, `time: missing unit in duration ${JSON.stringify(value)}`);
    const factor = units[unit!];
    if (factor === undefined) {
      throw new Refusal(
        400,
        `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(value)}`,
      );
    }
    total += Number(number) * factor;
    rest = rest.slice(whole.length);
  }
  return sign === "-" ? Number.POSITIVE_INFINITY : total;
}

function goKind(value: unknown): string {
  return value === null
    ? "null"
    : Array.isArray(value)
      ? "array"
      : typeof value === "boolean"
        ? "bool"
        : typeof value;
}

function goType(value: unknown): string {
  return Array.isArray(value)
    ? "[]interface {}"
    : typeof value === "boolean"
      ? "bool"
      : "map[string]interface {}";
}

/** Go's `encoding/json` scanner, as far as its error texts go. */
function syntaxError(text: string): string {
  let at = 0;
  const skip = (): void => {
    while (/\s/.test(text[at] ?? "x")) at++;
  };
  const fail = (where: string): never => {
    if (at >= text.length) throw new SyntaxError("unexpected EOF");
    const character = text[at] === "'" ? "'\\''" : text[at] === '"' ? "'\"'" : `'${text[at]}'`;
    throw new SyntaxError(`invalid character ${character} ${where}`);
  };
  const string = (): void => {
    for (at++; text[at] !== '"'; at++) {
      if (at >= text.length || text[at]! < " ") fail("in string literal");
      if (text[at] === "\\" && !/["\\/bfnrtu]/.test(text[++at] ?? "")) fail("in string escape code");
    }
    at++;
  };
  const literal = (word: string): void => {
    for (const expected of word) {
      if (text[at] !== expected) fail(`in literal ${word} (expecting '${expected}')`);
      at++;
    }
  };
  const members = (close: string, member: () => void, after: string): void => {
    at++;
    skip();
    if (text[at] === close) {
      at++;
      return;
    }
    for (;;) {
      member();
      skip();
      if (text[at] === close) break;
      if (text[at] !== ",") fail(after);
      at++;
      skip();
    }
    at++;
  };
  const value = (): void => {
    skip();
    const first = text[at] ?? "";
    if (first === "{") members("}", pair, "after object key:value pair");
    else if (first === "[") members("]", value, "after array element");
    else if (first === '"') string();
    else if (first === "t") literal("true");
    else if (first === "f") literal("false");
    else if (first === "n") literal("null");
    else {
      const number = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/.exec(text.slice(at, at + 400));
      if (!number) fail("looking for beginning of value");
      else at += number[0].length;
    }
  };
  const pair = (): void => {
    skip();
    if (text[at] !== '"') fail("looking for beginning of object key string");
    string();
    skip();
    if (text[at] !== ":") fail("after object key");
    at++;
    value();
  };
  try {
    value();
    skip();
    fail("after top-level value");
  } catch (error) {
    return (error as Error).message;
  }
  return "unexpected EOF";
}
