/** `GET /optimization/templates`: the recurring prompt shapes and their figures, sorted. */
import { templateStatistics } from "../optimizer/templateStatistics.js";
import type { TemplateRecord } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import { wholeNumberOf, wordOf } from "./query.js";

/** Each from the largest down: what is seen without reading a histogram, since there may be 10,000 templates. */
const KEYS = {
  observations: ({ counts }: TemplateRecord): number => counts.observations ?? 0,
  errors: ({ counts }: TemplateRecord): number => counts.errors ?? 0,
  updatedAt: ({ updatedAt }: TemplateRecord): number => Date.parse(updatedAt),
  createdAt: ({ createdAt }: TemplateRecord): number => Date.parse(createdAt),
} as const;

/**
 * A page of them; `offset` counts templates.
 *
 * @throws OptimizerError `OPTION_INVALID`
 */
export function templates(store: OptimizerStore, query: URLSearchParams): Response {
  const limit = wholeNumberOf(query, "limit", { least: 1, most: 200, otherwise: 50 });
  const offset = wholeNumberOf(query, "offset", { least: 0, most: 10_000_000, otherwise: 0 });
  const key = KEYS[wordOf(query, "sort", ["observations", "errors", "updatedAt", "createdAt"])];
  const all = [...store.list("templates")].sort((a, b) => key(b) - key(a) || (a.id < b.id ? -1 : 1));
  return Response.json({
    templates: all.slice(offset, offset + limit).map(told),
    total: all.length,
    nextOffset: offset + limit < all.length ? offset + limit : null,
  });
}

function told(record: TemplateRecord) {
  const { modelDigest, systemId, workingWindow, createdAt } = record;
  return { ...templateStatistics(record), modelDigest, systemId, workingWindow, createdAt };
}
