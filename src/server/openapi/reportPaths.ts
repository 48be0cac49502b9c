/** How it went, what it cost, and what was turned. */
import { json, type OperationParts, operation, type Paths } from "./operation.js";
import {
  anyObject,
  count,
  integer,
  listOf,
  number,
  object,
  oneOf,
  open,
  orNull,
  reference,
  type Schema,
  text,
  yesOrNo,
} from "./schema.js";

const own = (parts: Omit<OperationParts, "tag" | "error">) =>
  operation({ tag: "optimizer", error: reference("Error"), ...parts });
const days = (otherwise: number): Schema => ({
  type: "integer",
  minimum: 1,
  maximum: 365,
  default: otherwise,
});
const name: Schema = { type: "string", minLength: 1 };
const status = json(reference("Autonomous"));

export const REPORT_PATHS: Paths = {
  "/optimization/report": {
    get: own({
      id: "report",
      summary: "Everything below in one, as JSON, a page, or Markdown",
      query: { days: days(7) },
      answer: {
        ...json(open({ summary: open({ efficiency_score: orNull(number) }) })),
        "text/html": text,
        "text/markdown": text,
      },
      failures: [400],
    }),
  },
  "/optimization/metrics": {
    get: own({
      id: "figures",
      summary: "Figures of the calls of the last days, in all and by model",
      query: { days: days(7) },
      answer: json(open({ days: integer, since: text, models: listOf(anyObject), ratings: anyObject })),
      failures: [400],
    }),
  },
  "/optimization/anomalies": {
    get: own({
      id: "anomalies",
      summary: "Calls out of the ordinary, and alerts that are open",
      query: { days: days(7), method: oneOf("robust", "threeSigma") },
      answer: json(open({ days: integer, open: listOf(anyObject) })),
      failures: [400],
    }),
  },
  "/optimization/costs": {
    get: own({
      id: "costs",
      summary: "What the calls cost, by the prices that the server was given",
      query: { days: days(30) },
      answer: json(open({ days: integer })),
      failures: [400],
    }),
  },
  "/optimization/cache-stats": {
    get: own({
      id: "cacheStatistics",
      summary: "What a cache of replies saved, and what it would not keep; without one all is 0",
      answer: json(
        object({
          enabled: yesOrNo,
          cache: object({
            size: count,
            max_size: count,
            hits: count,
            misses: count,
            hit_rate_percent: number,
            ttl_seconds: orNull(number),
            skipped_sampled: count,
            skipped_cut: count,
            skipped_empty: count,
            skipped_other: count,
          }),
          performance_impact: object({
            requests_saved: count,
            time_saved_estimate_seconds: number,
            cost_saved_usd: number,
          }),
          prefix_cache: object({ prompt_tokens: count, cached_tokens: count }),
        }),
      ),
    }),
  },
  "/optimization/cache/invalidate": {
    post: own({
      id: "invalidate",
      summary: "Removes replies from the server's cache; without one removes nothing",
      body: {
        oneOf: [
          object({ key: name }),
          object({ pattern: name }),
          object({ all: { type: "boolean", const: true } }),
        ],
      },
      answer: json(object({ removed: count })),
    }),
  },
  "/optimization/ratings": {
    post: own({
      id: "rate",
      summary: "What somebody thought of a reply",
      body: open({
        id: { type: "string", minLength: 1, maxLength: 200 },
        rating: { type: "integer", enum: [-1, 0, 1] },
      }),
      answer: json(object({ id: text, rating: integer, model: text })),
      failures: [404],
    }),
  },
  "/optimization/auto-optimize": {
    post: own({
      id: "autoOptimize",
      summary: "Takes the steps that the figures call for, or only tells of them",
      body: object({}, { dry_run: yesOrNo }),
      isBodyOptional: true,
      answer: json(
        object({
          status: text,
          count,
          optimizations: listOf(reference("Step")),
          checked: listOf(reference("Step")),
        }),
      ),
    }),
  },
  "/optimization/autonomous/status": {
    get: own({ id: "autonomousStatus", summary: "Whether steps are taken by themselves", answer: status }),
  },
  "/optimization/autonomous/enable": {
    post: own({ id: "autonomousEnable", summary: "From now on they are", answer: status }),
  },
  "/optimization/autonomous/disable": {
    post: own({ id: "autonomousDisable", summary: "From now on they are not", answer: status }),
  },
};

export const REPORT_SCHEMAS: Readonly<Record<string, Schema>> = {
  Step: open({ type: text, action: text, timestamp: text, reason: text, state: text }),
  Autonomous: object({
    enabled: yesOrNo,
    every_seconds: number,
    changed_at: orNull(text),
    last_run_at: orNull(text),
    open_steps: count,
    history: listOf(reference("Step")),
  }),
};
