import { OptimizerError } from "../errors.js";
import type { RequestRecord } from "../records.js";
import type { RequestQuery } from "./store.js";

/**
 * The query with its times in UTC to the millisecond: PostgreSQL takes one without a zone for its own.
 *
 * @throws OptimizerError `OPTION_INVALID`
 */
export function queryInUtc(query: RequestQuery): RequestQuery {
  const times = (["since", "until"] as const).flatMap((name) => {
    const text = query[name];
    return text === undefined ? [] : [[name, inUtc(name, text)] as const];
  });
  return { ...query, ...Object.fromEntries(times) };
}

function inUtc(name: string, text: string): string {
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new OptimizerError({
    code: "OPTION_INVALID",
    message: `${name} is ${JSON.stringify(text)}`,
    remedy: 'Give a time like "2026-01-31T12:00:00.000Z", or leave it out.',
  });
}

/** Tells whether a query (apart from its limit and order) asks for a request. Texts of one moment differ. */
export function matcherOf(query: RequestQuery): (request: RequestRecord) => boolean {
  const { model, templateId } = query;
  const since = query.since === undefined ? null : Date.parse(query.since);
  const until = query.until === undefined ? null : Date.parse(query.until);
  return (request) =>
    (since === null || startOf(request) >= since) &&
    (until === null || startOf(request) < until) &&
    (model === undefined || request.model === model) &&
    (templateId === undefined || request.templateId === templateId);
}

/** Start of a request in milliseconds since 1970; 0 when its time cannot be read. */
export function startOf(request: RequestRecord): number {
  const time = Date.parse(request.at);
  return Number.isNaN(time) ? 0 : time;
}
