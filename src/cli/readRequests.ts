/** The request log, read with a progress bar once it takes long. */
import type { RequestRecord } from "../records.js";
import type { OptimizerStore, RequestQuery } from "../storage/store.js";
import type { Surroundings } from "./command.js";
import { status } from "./status.js";
import { count } from "./terminal.js";

/** Nobody needs to be told of less. Milliseconds. */
const SLOW_MS = 400;
const LOOK_EVERY = 200;

/**
 * The requests that a query asks for. How far reading is, the times of the requests tell.
 *
 * @throws the signal's reason when the user wants to stop
 */
export async function* readRequests(
  store: OptimizerStore,
  query: RequestQuery,
  { err, signal }: Pick<Surroundings, "err" | "signal">,
): AsyncGenerator<RequestRecord> {
  const shown = status(err);
  const start = performance.now();
  let read = 0;
  let first: number | null = null;
  let last: number | null = null;
  try {
    for await (const request of store.requests(query)) {
      signal.throwIfAborted();
      first ??= Date.parse(request.at);
      if (++read % LOOK_EVERY === 0 && performance.now() - start > SLOW_MS) {
        last ??= await otherEnd(store, query, first);
        const share = last === first ? 0 : (Date.parse(request.at) - first) / (last - first);
        shown.show(`reading requests: ${count(read)}`, share);
      }
      yield request;
    }
  } finally {
    shown.end();
  }
}

async function otherEnd(store: OptimizerStore, query: RequestQuery, first: number): Promise<number> {
  const turned = { ...query, limit: 1, newestFirst: !query.newestFirst };
  for await (const { at } of store.requests(turned)) return Date.parse(at);
  return first;
}

const DAY_MS = 86_400_000;

/** When the last so many days began; undefined for all of them. */
export function sinceDays(days: number | undefined, now: number): string | undefined {
  return days === undefined ? undefined : new Date(now - days * DAY_MS).toISOString();
}
