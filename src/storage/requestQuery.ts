import type { RequestRecord } from "../records.js";
import type { RequestQuery } from "./store.js";

/** Whether a query (apart from its limit and order) asks for this request. */
export function matchesQuery(request: RequestRecord, query: RequestQuery): boolean {
  return (
    (query.since === undefined || request.at >= query.since) &&
    (query.until === undefined || request.at < query.until) &&
    (query.model === undefined || request.model === query.model) &&
    (query.templateId === undefined || request.templateId === query.templateId)
  );
}

/** Start of a request in milliseconds since 1970; 0 when its time cannot be read. */
export function startOf(request: RequestRecord): number {
  const time = Date.parse(request.at);
  return Number.isNaN(time) ? 0 : time;
}
