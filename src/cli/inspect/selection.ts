/** Which records of a table are shown, and in which order. Pure. */
import { usageError } from "../command.js";
import { nearest } from "../nearest.js";
import type { Column, Value } from "./columns.js";

export interface Selection<R> {
  matches(record: R): boolean;
  /** Below 0: the first one stands before the second. null: as they come. */
  readonly order: ((a: R, b: R) => number) | null;
}

const CONDITION = /^\s*([A-Za-z0-9]+)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*$/s;

type Test = (value: Value) => boolean;

/**
 * What `--where` and `--sort` ask for.
 *
 * @param where conditions that all hold, such as "total>1000", "error!=-", "model~qwen"; "-" is what is not known
 * @param sort a column, the largest first with a "-" before it
 * @throws OptimizerError `ARGUMENT_INVALID`
 */
export function selection<R>(
  columns: readonly Column<R>[],
  where: readonly string[],
  sort: string | undefined,
): Selection<R> {
  const tests = where.map((text) => {
    const [, name, operator, operand] = CONDITION.exec(text) ?? [];
    if (name === undefined || operator === undefined || operand === undefined) {
      throw usageError(`--where is "${text}"`, 'Write COLUMN, one of = != < <= > >= ~, VALUE: "total>1000".');
    }
    const column = columnNamed(columns, name);
    const test = testOf(operator, operand);
    return (record: R) => test(column.of(record));
  });
  return { matches: (record) => tests.every((test) => test(record)), order: orderOf(columns, sort) };
}

function orderOf<R>(columns: readonly Column<R>[], sort: string | undefined): Selection<R>["order"] {
  if (sort === undefined) return null;
  const isDescending = sort.startsWith("-");
  const column = columnNamed(columns, isDescending ? sort.slice(1) : sort);
  return (a, b) => {
    const [left, right] = [column.of(a), column.of(b)];
    // What is not known stands last in either order.
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return isDescending ? compare(right, left) : compare(left, right);
  };
}

function columnNamed<R>(columns: readonly Column<R>[], name: string): Column<R> {
  const found = columns.find((column) => column.name === name);
  if (found) return found;
  const names = columns.map((column) => column.name);
  const meant = nearest(name, names);
  throw usageError(
    `There is no column "${name}"`,
    `${meant ? `Did you mean ${meant}? ` : ""}There are ${names.join(", ")}.`,
  );
}

function testOf(operator: string, operand: string): Test {
  if (operand === "-" && operator === "=") return (value) => value === null;
  if (operand === "-" && operator === "!=") return (value) => value !== null;
  if (operator === "~") return (value) => text(value).toLowerCase().includes(operand.toLowerCase());
  const holds = (difference: number): boolean =>
    ({
      "=": difference === 0,
      "!=": difference !== 0,
      "<": difference < 0,
      "<=": difference <= 0,
      ">": difference > 0,
      ">=": difference >= 0,
    })[operator] ?? false;
  return (value) => (value === null ? operator === "!=" : holds(compare(value, like(value, operand))));
}

/** As they are written by people and, with a T and a zone, in the records. */
const MOMENT = /^(\d{4}-\d\d-\d\d)T([\d:]+)(?:\.\d+)?Z?$/;
const YES_OR_NO: Readonly<Record<string, boolean>> = { yes: true, true: true, no: false, false: false };

/** An operand is a number where the column has numbers, and yes or no where it has those. */
function like(value: NonNullable<Value>, operand: string): NonNullable<Value> {
  if (typeof value === "string") return operand.replace(MOMENT, "$1 $2");
  if (typeof value === "boolean") {
    const known = YES_OR_NO[operand.toLowerCase()];
    if (known === undefined) throw usageError(`"${operand}" is compared with yes or no`, "Give one of them.");
    return known;
  }
  const number = Number(operand);
  if (operand === "" || Number.isNaN(number)) {
    throw usageError(`"${operand}" is compared with numbers`, "Give a number.");
  }
  return number;
}

function text(value: Value): string {
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value ?? "");
}

function compare(a: NonNullable<Value>, b: NonNullable<Value>): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [text(a), text(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The first `limit` in an order, of any number of records, without keeping them all. */
export class Foremost<R> {
  private kept: R[] = [];
  /** All that came. */
  total = 0;

  constructor(
    private readonly order: (a: R, b: R) => number,
    private readonly limit: number,
  ) {}

  take(record: R): void {
    this.total++;
    this.kept.push(record);
    if (this.kept.length > 2 * this.limit + 1000) this.kept = this.result().slice();
  }

  result(): readonly R[] {
    return this.kept.sort(this.order).slice(0, this.limit);
  }
}
