/**
 * What every driver can store. A server refuses a whole batch for one item it cannot take, again and again, so such
 * an item is refused before it is queued.
 */
import { OptimizerError } from "../errors.js";
import type { RequestRecord } from "../records.js";

/** PostgreSQL keeps no NUL and no half characters, and its index entries are limited. */
function isStorableId(id: unknown): id is string {
  return typeof id === "string" && id.length > 0 && id.length <= 512 && isStorableText(id);
}

function isStorableText(text: string): boolean {
  return !text.includes("\0") && !/\p{Surrogate}/u.test(text);
}

/** Texts of other years do not sort by time, and PostgreSQL has no year 0. */
const YEAR = /^(?!0000)\d{4}-/;

/** ISO 8601 with a year of four digits, as it is written and in UTC. */
function isTime(value: unknown): boolean {
  if (typeof value !== "string" || !YEAR.test(value) || !isStorableText(value)) return false;
  const at = Date.parse(value);
  return !Number.isNaN(at) && YEAR.test(new Date(at).toISOString());
}

/** @throws {@link OptimizerError} `STORE_CHANGE_INVALID` */
export function assertStorableChange(kind: string, change: Readonly<Record<string, unknown>>): void {
  const { id, createdAt, updatedAt, counts = {} } = change;
  if (!isStorableId(id)) {
    throw invalid(
      `A change of ${kind} is refused: its id is ${JSON.stringify(id)}`,
      "Give it a string of 1 to 512 characters without NUL and lone surrogates.",
    );
  }
  for (const [name, value] of Object.entries({ createdAt, updatedAt })) {
    if (value !== undefined && !isTime(value)) {
      throw invalid(
        `A change of ${kind} is refused: ${name} of "${id}" is ${JSON.stringify(value)}`,
        'Give it a time like "2026-01-31T12:00:00.000Z".',
      );
    }
  }
  for (const name of Object.keys(change)) {
    if (!isStorableText(name)) {
      throw invalid(
        `A change of ${kind} is refused: "${id}" has a field ${JSON.stringify(name)}`,
        "Name it without NUL and lone surrogates.",
      );
    }
  }
  const wrong = wrongCount(counts);
  if (wrong !== null) {
    throw invalid(
      `A change of ${kind} is refused: ${["counts", ...wrong].join(".")} of "${id}" is not a finite number`,
      "Leave it out or count something finite.",
    );
  }
}

/** The way to the first count that is none; null when all are counts. */
function wrongCount(value: unknown): readonly string[] | null {
  if (value === undefined || Number.isFinite(value)) return null;
  if (Array.isArray(value) && value.every(Number.isFinite)) return null;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  for (const key of Object.keys(value)) {
    const wrong = wrongCount((value as Readonly<Record<string, unknown>>)[key]);
    if (wrong !== null) return [key, ...wrong];
  }
  return null;
}

/** @throws {@link OptimizerError} `STORE_REQUEST_INVALID` */
export function assertStorableRequest({ id, at, model }: RequestRecord): void {
  const refuse = (what: string, remedy: string) =>
    invalid(`A request is refused: its ${what}`, remedy, "STORE_REQUEST_INVALID");
  if (!isStorableId(id)) {
    throw refuse(
      `id is ${JSON.stringify(id)}`,
      "Give it a string of 1 to 512 characters without NUL and lone surrogates.",
    );
  }
  if (!isTime(at)) {
    throw refuse(`time is ${JSON.stringify(at)}`, 'Give it a time like "2026-01-31T12:00:00.000Z".');
  }
  if (typeof model !== "string") throw refuse(`model is ${JSON.stringify(model)}`, "Give it a name.");
}

function invalid(message: string, remedy: string, code = "STORE_CHANGE_INVALID"): OptimizerError {
  return new OptimizerError({ code, message, remedy });
}
