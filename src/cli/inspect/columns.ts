/** What can be seen of each kind of record: its columns, by which it is filtered and sorted as well. */
import { quantile } from "../../optimizer/histogram.js";
import type { Histogram, ProfileRecord, RequestRecord, RuleRecord, TemplateRecord } from "../../records.js";
import { count, seconds } from "../terminal.js";

export type Value = string | number | boolean | null;

export interface Column<R> {
  readonly name: string;
  of(record: R): Value;
  /** For people; without it as {@link shown} does. */
  readonly show?: (value: number) => string;
  /** Only filtered and sorted by. */
  readonly isHidden?: boolean;
}

/** How a cell is shown to people; what is not known is a dash. */
export function shown<R>(column: Column<R>, record: R): string {
  const value = column.of(record);
  if (value === null || value === "") return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  return column.show ? column.show(value) : count(value);
}

const at = <R>(name: string, of: (record: R) => string | undefined): Column<R> => ({
  name,
  of: (record) => of(record)?.slice(0, 19).replace("T", " ") ?? null,
});
const milliseconds = <R>(name: string, of: (record: R) => number | null | undefined): Column<R> => ({
  name,
  of: (record) => of(record) ?? null,
  show: seconds,
});
const share = (value: number): string => value.toFixed(2);
const middle = (histogram: Histogram | undefined, q = 0.5): number | null => {
  const value = quantile(histogram ?? {}, q);
  return value === null ? null : Math.round(value);
};

export const TEMPLATES: readonly Column<TemplateRecord>[] = [
  { name: "id", of: ({ id }) => id },
  { name: "scope", of: ({ scope }) => scope ?? null },
  { name: "seen", of: ({ counts }) => counts.observations ?? 0 },
  { name: "window", of: ({ workingWindow }) => workingWindow ?? null },
  {
    name: "distance",
    of: ({ counts }) => (counts.observations > 0 ? (counts.distanceSum ?? 0) / counts.observations : null),
    show: (bits) => bits.toFixed(1),
  },
  { name: "prompt", of: ({ counts }) => middle(counts.promptTokens) },
  { name: "output", of: ({ counts }) => middle(counts.outputTokens) },
  { name: "output99", of: ({ counts }) => middle(counts.outputTokens, 0.99) },
  milliseconds("total", ({ counts }) => middle(counts.totalMs)),
  { name: "errors", of: ({ counts }) => counts.errors ?? 0 },
  { name: "reserve", of: ({ pinnedReserve }) => pinnedReserve ?? null },
  { name: "pinned", of: ({ isPinned }) => isPinned === true },
  at("last", ({ updatedAt }) => updatedAt),
  { name: "digest", of: ({ modelDigest }) => modelDigest ?? null, isHidden: true },
  { name: "system", of: ({ systemId }) => systemId ?? null, isHidden: true },
];

export const RULES: readonly Column<RuleRecord>[] = [
  { name: "template", of: ({ templateId }) => templateId ?? null },
  { name: "parameter", of: ({ parameter }) => parameter ?? null },
  { name: "value", of: ({ value }) => value ?? null },
  { name: "state", of: ({ state }) => state ?? null },
  { name: "confidence", of: ({ confidence }) => confidence ?? null, show: share },
  { name: "success", of: ({ counts }) => counts.success ?? 0 },
  { name: "total", of: ({ counts }) => counts.total ?? 0 },
  at("last", ({ updatedAt }) => updatedAt),
  { name: "id", of: ({ id }) => id, isHidden: true },
];

export const PROFILES: readonly Column<ProfileRecord>[] = [
  { name: "models", of: ({ models, blob }) => models?.join(" ") || (blob?.slice(0, 19) ?? null) },
  { name: "server", of: ({ serverId }) => serverId ?? null },
  { name: "trained", of: ({ trainedNumCtx }) => trainedNumCtx ?? null },
  { name: "window", of: ({ lastOptions }) => lastOptions?.num_ctx ?? null },
  { name: "batch", of: ({ lastOptions }) => lastOptions?.num_batch ?? null },
  { name: "pinned", of: ({ pinnedNumCtx }) => pinnedNumCtx ?? null },
  {
    name: "ceiling",
    of: ({ ceilings = [], maximumNumCtx }) =>
      maximumNumCtx ?? (ceilings.length > 0 ? Math.min(...ceilings.map(({ numCtx }) => numCtx)) : null),
  },
  { name: "calls", of: ({ counts }) => counts.calls ?? 0 },
  { name: "reloads", of: ({ counts }) => counts.reloads ?? 0 },
  { name: "retries", of: ({ counts }) => counts.retries ?? 0 },
  { name: "cuts", of: ({ counts }) => counts.cuts ?? 0 },
  milliseconds("load", ({ loadMs = [] }) => [...loadMs].sort((a, b) => a - b)[loadMs.length >> 1]),
  at("last", ({ updatedAt }) => updatedAt),
  { name: "id", of: ({ id }) => id, isHidden: true },
];

export const REQUESTS: readonly Column<RequestRecord>[] = [
  at("at", (request) => request.at),
  { name: "model", of: ({ model }) => model ?? null },
  { name: "template", of: ({ templateId }) => templateId ?? null },
  { name: "prompt", of: ({ promptTokens }) => promptTokens ?? null },
  { name: "cached", of: ({ cachedTokens }) => cachedTokens ?? null },
  { name: "output", of: ({ outputTokens }) => outputTokens ?? null },
  { name: "window", of: ({ numCtx }) => numCtx ?? null },
  milliseconds("total", ({ totalMs }) => totalMs),
  milliseconds("load", ({ loadMs }) => loadMs),
  milliseconds("first", ({ timeToFirstTokenMs }) => timeToFirstTokenMs),
  { name: "quality", of: ({ quality }) => quality ?? null, show: share },
  { name: "action", of: ({ decision }) => decision?.action ?? null },
  { name: "error", of: ({ error }) => error ?? null },
  { name: "id", of: ({ id }) => id, isHidden: true },
  { name: "source", of: ({ source }) => source ?? null, isHidden: true },
  { name: "owner", of: ({ owner }) => owner ?? null, isHidden: true },
  { name: "tags", of: ({ tags }) => tags?.join(" ") ?? null, isHidden: true },
  { name: "server", of: ({ serverId }) => serverId ?? null, isHidden: true },
];

export const DECISIONS: readonly Column<RequestRecord>[] = [
  at("at", (request) => request.at),
  { name: "model", of: ({ model }) => model ?? null },
  { name: "action", of: ({ decision }) => decision?.action ?? null },
  { name: "window", of: ({ decision }) => decision?.numCtx ?? null },
  { name: "loaded", of: ({ decision }) => decision?.loadedNumCtx ?? null },
  { name: "prompt", of: ({ decision }) => decision?.promptTokens ?? null },
  { name: "reserve", of: ({ decision }) => decision?.outputReserve ?? null },
  { name: "need", of: ({ decision }) => decision?.needTokens ?? null },
  { name: "counted", of: ({ decision }) => decision?.countSource ?? null },
  { name: "confidence", of: ({ decision }) => decision?.confidence ?? null, show: share },
  { name: "retries", of: ({ decision }) => decision?.outcome?.retries ?? null },
  { name: "reloaded", of: ({ decision }) => decision?.outcome?.reloaded ?? null },
  { name: "reason", of: ({ decision }) => decision?.reason ?? null },
  { name: "template", of: ({ templateId }) => templateId ?? null, isHidden: true },
  { name: "cut", of: ({ decision }) => decision?.outcome?.cut ?? null, isHidden: true },
  { name: "shifted", of: ({ decision }) => decision?.outcome?.shifted ?? null, isHidden: true },
  { name: "ms", of: ({ decision }) => decision?.decideMs ?? null, isHidden: true },
  { name: "id", of: ({ id }) => id, isHidden: true },
];
