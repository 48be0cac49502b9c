/** Reads a JSON object field by field, and refuses what has the wrong type in OpenAI's words. */
import { Refused } from "./refused.js";

type Values = Readonly<Record<string, unknown>>;

/**
 * An object of a request with the path that leads to it. Null counts as left out; fields that nobody reads are
 * ignored.
 *
 * @example new Fields({ n: 2 }).integer("n", 1, 128) // 2
 * @example new Fields({ n: 200 }, "a[0]").integer("n", 1, 128) // throws Refused: Invalid 'a[0].n': ...
 */
export class Fields {
  constructor(
    readonly values: Values,
    private readonly path: string = "",
  ) {}

  /** The path of a field, e.g. `messages[0].content`. */
  at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  get(name: string): unknown {
    return this.values[name] ?? undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  text(name: string): string | undefined {
    return this.typed(name, "a string", isText);
  }

  requiredText(name: string): string {
    return required(this.text(name), this.at(name));
  }

  flag(name: string): boolean | undefined {
    return this.typed(name, "a boolean", (value) => typeof value === "boolean");
  }

  decimal(name: string, lowest: number, highest: number): number | undefined {
    const value = this.typed(name, "a decimal", isNumber);
    return value === undefined ? undefined : inRange("decimal", value, lowest, highest, this.at(name));
  }

  integer(name: string, lowest: number, highest: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.typed(name, "an integer", (value): value is number => Number.isInteger(value));
    return value === undefined ? undefined : inRange("integer", value, lowest, highest, this.at(name));
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined || allowed.includes(value as T)) return value as T | undefined;
    throw unknownValue(value, allowed, this.at(name));
  }

  /** One text or a list of them, always as a list. */
  texts(name: string): readonly string[] | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (isText(value)) return [value];
    if (Array.isArray(value) && value.every(isText)) return value;
    throw wrongType(this.at(name), "a string or an array of strings", value);
  }

  object(name: string): Fields | undefined {
    const value = this.typed(name, "an object", isObject);
    return value && new Fields(value, this.at(name));
  }

  requiredObject(name: string): Fields {
    return required(this.object(name), this.at(name));
  }

  objects(name: string): readonly Fields[] | undefined {
    const list = this.typed(name, "an array of objects", isList);
    return list?.map((value, index) => {
      const path = `${this.at(name)}[${index}]`;
      if (!isObject(value)) throw wrongType(path, "an object", value);
      return new Fields(value, path);
    });
  }

  /** Refuses a type that none of the named ones is. */
  wrongType(name: string, expected: string): Refused {
    return wrongType(this.at(name), expected, this.values[name]);
  }

  private typed<T>(name: string, expected: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.get(name);
    if (value === undefined || is(value)) return value;
    throw wrongType(this.at(name), expected, value);
  }
}

export function missing(path: string): Refused {
  return new Refused(`Missing required parameter: '${path}'.`, "missing_required_parameter", path);
}

export function unknownValue(value: string, allowed: readonly string[], path: string): Refused {
  const supported = allowed.map((one) => `'${one}'`).join(", ");
  return new Refused(`Invalid value: '${value}'. Supported values are: ${supported}.`, "invalid_value", path);
}

function required<T>(value: T | undefined, path: string): T {
  if (value === undefined) throw missing(path);
  return value;
}

function wrongType(path: string, expected: string, value: unknown): Refused {
  return new Refused(
    `Invalid type for '${path}': expected ${expected}, but got ${kindOf(value)} instead.`,
    "invalid_type",
    path,
  );
}

function inRange(kind: string, value: number, lowest: number, highest: number, path: string): number {
  if (value >= lowest && value <= highest) return value;
  const [side, sign, bound] = value < lowest ? ["below_min", ">=", lowest] : ["above_max", "<=", highest];
  const words = side === "below_min" ? "below minimum value" : "above maximum value";
  throw new Refused(
    `Invalid '${path}': ${kind} ${words}. Expected a value ${sign} ${bound}, but got ${value} instead.`,
    `${kind}_${side}_value`,
    path,
  );
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (isList(value)) return "an array";
  if (isNumber(value)) return Number.isInteger(value) ? "an integer" : "a decimal";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
