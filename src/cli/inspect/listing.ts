/** `inspect templates` and the like: records as a table. */
import type { RequestRecord } from "../../records.js";
import type { OptimizerStore } from "../../storage/store.js";
import type { Surroundings } from "../command.js";
import { readRequests } from "../readRequests.js";
import { count, counted, type Output, table } from "../terminal.js";
import { type Column, DECISIONS, PROFILES, REQUESTS, RULES, shown, TEMPLATES } from "./columns.js";
import { cells, widestFor } from "./printed.js";
import { Foremost, type Selection, selection } from "./selection.js";

export interface ListingOptions {
  readonly where: readonly string[];
  readonly sort: string | undefined;
  /** Infinity for all. */
  readonly limit: number;
  /** ISO 8601. */
  readonly since: string | undefined;
  /** What to call the store. */
  readonly place: string;
}

export interface Listing {
  readonly records: readonly unknown[];
  /** For people. */
  readonly text: string;
}

export type Kind = "templates" | "rules" | "profiles" | "requests" | "decisions";

/** @throws OptimizerError `ARGUMENT_INVALID` */
export async function listing(
  kind: Kind,
  store: OptimizerStore,
  options: ListingOptions,
  surroundings: Surroundings,
): Promise<Listing> {
  switch (kind) {
    case "templates":
      return documents(kind, TEMPLATES, store.list(kind), "-seen", options, surroundings);
    case "rules":
      return documents(kind, RULES, store.list(kind), "template", options, surroundings);
    case "profiles":
      return documents(kind, PROFILES, store.list(kind), "-calls", options, surroundings);
    case "requests":
      return requests(kind, REQUESTS, () => true, store, options, surroundings);
    case "decisions":
      return requests(kind, DECISIONS, ({ decision }) => decision !== null, store, options, surroundings);
  }
}

function documents<R extends { readonly updatedAt: string }>(
  kind: Kind,
  columns: readonly Column<R>[],
  all: Iterable<R>,
  defaultSort: string,
  { where, sort, limit, since, place }: ListingOptions,
  { out }: Surroundings,
): Listing {
  const { matches, order } = selection(columns, where, sort ?? defaultSort);
  const found = [...all].filter(
    (record) => (since === undefined || record.updatedAt >= since) && matches(record),
  );
  const records = found.sort(order!).slice(0, limit);
  return { records, text: printed(kind, columns, records, { total: found.length, place, out }) };
}

async function requests(
  kind: Kind,
  columns: readonly Column<RequestRecord>[],
  isMeant: (request: RequestRecord) => boolean,
  store: OptimizerStore,
  options: ListingOptions,
  surroundings: Surroundings,
): Promise<Listing> {
  const chosen = selection(columns, options.where, options.sort);
  const found: Selection<RequestRecord> = {
    ...chosen,
    matches: (request) => isMeant(request) && chosen.matches(request),
  };
  const records = found.order
    ? await sorted(found.order, found, store, options, surroundings)
    : await newest(found, store, options, surroundings);
  return {
    records,
    text: printed(kind, columns, records, { total: null, place: options.place, out: surroundings.out }),
  };
}

/** As they come: reading ends where enough are found. */
async function newest(
  { matches }: Selection<RequestRecord>,
  store: OptimizerStore,
  { limit, since }: ListingOptions,
  surroundings: Surroundings,
): Promise<readonly RequestRecord[]> {
  const records: RequestRecord[] = [];
  for await (const request of readRequests(store, { since, newestFirst: true }, surroundings)) {
    if (matches(request)) records.push(request);
    if (records.length >= limit) break;
  }
  return records;
}

async function sorted(
  order: (a: RequestRecord, b: RequestRecord) => number,
  { matches }: Selection<RequestRecord>,
  store: OptimizerStore,
  { limit, since }: ListingOptions,
  surroundings: Surroundings,
): Promise<readonly RequestRecord[]> {
  const foremost = new Foremost(order, limit);
  for await (const request of readRequests(store, { since, newestFirst: true }, surroundings)) {
    if (matches(request)) foremost.take(request);
  }
  return foremost.result();
}

interface Printing {
  /** All that were found; null: not counted. */
  readonly total: number | null;
  readonly place: string;
  readonly out: Output;
}

function printed<R>(
  kind: Kind,
  columns: readonly Column<R>[],
  records: readonly R[],
  { total, place, out }: Printing,
): string {
  if (records.length === 0) return `No ${kind} found in ${place}.\n`;
  const visible = columns.filter(({ isHidden }) => !isHidden);
  // A column that nobody has anything in only takes room.
  const filled = visible.filter((column) => records.some((record) => column.of(record) !== null));
  const rows = records.map((record) => filled.map((column) => shown(column, record)));
  const foot =
    total === null
      ? `${counted(records.length, kind.slice(0, -1))}.`
      : `${count(records.length)} of ${counted(total, kind.slice(0, -1))}.`;
  return `${table(
    cells(
      filled.map(({ name }) => name),
      rows,
      widestFor(out),
    ),
  )}\n\n${foot}\n`;
}
