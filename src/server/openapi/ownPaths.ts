/** The optimizer's own routes. */
import { json, type OperationParts, operation, type Paths } from "./operation.js";
import {
  anyObject,
  count,
  integer,
  listOf,
  number,
  object,
  oneOf,
  orNull,
  reference,
  type Schema,
  text,
  time,
  yesOrNo,
} from "./schema.js";

const own = (parts: Omit<OperationParts, "tag" | "error">) =>
  operation({ tag: "optimizer", error: reference("Error"), ...parts });
const limit = { type: "integer", minimum: 1, maximum: 200, default: 50 };
const quantiles = object({ p50: orNull(number), p99: orNull(number) });

export const OWN_PATHS: Paths = {
  "/health": {
    get: withUnhealthy(
      own({ id: "health", summary: "Whether Ollama answers", answer: json(reference("Health")) }),
    ),
  },
  "/metrics": {
    get: own({ id: "metrics", summary: "Figures for Prometheus", answer: { "text/plain": text } }),
  },
  "/openapi.json": {
    get: own({ id: "openapi", summary: "This document", answer: json(anyObject) }),
  },
  "/optimization/events": {
    get: own({
      id: "events",
      summary:
        "Calls as they run, and alerts: a snapshot, then what changes, as server-sent events without an end",
      answer: { "text/event-stream": reference("Event") },
    }),
  },
  "/optimization/decisions": {
    get: own({
      id: "decisions",
      summary: "What was decided about recent calls and what came of it, newest first",
      query: { limit, cursor: text, model: text, template: text },
      answer: json(object({ decisions: listOf(reference("DecidedCall")), nextCursor: orNull(text) })),
      failures: [400, 404],
    }),
  },
  "/optimization/models": {
    get: own({
      id: "models",
      summary: "What Ollama has loaded, and what is known of every model that was used",
      answer: json(
        object({
          upstream: oneOf("reachable", "unreachable"),
          loaded: listOf(reference("LoadedModel")),
          profiles: listOf(reference("Profile")),
        }),
      ),
    }),
  },
  "/optimization/templates": {
    get: own({
      id: "templates",
      summary: "The recurring prompt shapes and their figures",
      query: {
        limit,
        offset: { type: "integer", minimum: 0, maximum: 10_000_000, default: 0 },
        sort: oneOf("observations", "errors", "updatedAt", "createdAt"),
      },
      answer: json(
        object({ templates: listOf(reference("Template")), total: count, nextOffset: orNull(count) }),
      ),
      failures: [400],
    }),
  },
  "/optimization/tokenize": {
    post: own({
      id: "tokenize",
      summary: "Tokens of a text (with their ids) or of a chat, as the model itself counts them",
      body: {
        oneOf: [
          object({ model: reference("ModelName"), text }),
          object(
            { model: reference("ModelName"), messages: listOf(reference("Message"), { minItems: 1 }) },
            { tools: orNull(listOf(anyObject)) },
          ),
        ],
      },
      answer: json(
        object(
          { model: text, count, exact: yesOrNo, source: oneOf("exact", "bound", "estimate") },
          { ids: listOf(count) },
        ),
      ),
      failures: [404, 502, 503],
    }),
  },
};

/** A monitor reads the body of both. */
function withUnhealthy(health: Readonly<Record<string, unknown>>) {
  const unhealthy = {
    description: "Ollama is away",
    content: { "application/json": { schema: reference("Health") } },
  };
  return { ...health, responses: { ...(health.responses as object), 503: unhealthy } };
}

const decision = object(
  {
    id: text,
    schemaVersion: integer,
    policyVersion: integer,
    serverId: text,
    slot: text,
    action: oneOf("keep", "grow", "load", "shrink", "pass"),
    numCtx: orNull(integer),
    numBatch: orNull(integer),
    numPredict: orNull(integer),
    loadedNumCtx: orNull(integer),
    promptTokens: orNull(count),
    needTokens: orNull(count),
    outputReserve: orNull(count),
    countSource: oneOf("exact", "bound", "estimate"),
    confidence: { type: "number", minimum: 0, maximum: 1 },
    templateId: orNull(text),
    trimmedMessages: count,
    reason: text,
    decideMs: number,
  },
  {
    outcome: object({
      retries: count,
      reloaded: orNull(yesOrNo),
      shifted: orNull(yesOrNo),
      cut: orNull(yesOrNo),
      error: orNull(text),
    }),
  },
);

export const OWN_SCHEMAS: Readonly<Record<string, Schema>> = {
  Health: object({ status: oneOf("ok", "unhealthy"), upstream: oneOf("reachable", "unreachable") }),
  Decision: decision,
  DecidedCall: object({
    id: text,
    at: time,
    source: oneOf("model", "callback", "server"),
    model: text,
    templateId: orNull(text),
    promptTokens: orNull(count),
    outputTokens: orNull(count),
    cachedTokens: orNull(count),
    totalMs: orNull(number),
    loadMs: orNull(number),
    timeToFirstTokenMs: orNull(number),
    doneReason: orNull(text),
    error: orNull(text),
    decision: orNull(reference("Decision")),
  }),
  LoadedModel: object({
    model: text,
    digest: text,
    numCtx: orNull(count),
    sizeBytes: count,
    vramBytes: count,
    expiresAt: orNull(text),
  }),
  Profile: object({
    id: text,
    serverId: text,
    models: listOf(text),
    trainedNumCtx: orNull(count),
    pinnedNumCtx: orNull(count),
    lastOptions: anyObject,
    loadMs: listOf(number),
    recentNeedTokens: listOf(number),
    largestNeedTokens: listOf(number),
    ceilings: listOf(anyObject),
    memory: listOf(anyObject),
    promptTokens: quantiles,
    outputTokens: quantiles,
    counts: { type: "object", additionalProperties: number },
    updatedAt: time,
  }),
  Template: object({
    templateId: text,
    scope: oneOf("task", "system", "length"),
    observations: count,
    meanDistance: number,
    errorRate: number,
    promptTokens: object({ mean: orNull(number), p99: orNull(number) }),
    outputTokens: object({ samples: count, p50: orNull(number), p99: orNull(number), censoredShare: number }),
    totalMs: object({ samples: count, p50: orNull(number), p95: orNull(number), p99: orNull(number) }),
    lastSeen: time,
    modelDigest: text,
    systemId: orNull(text),
    workingWindow: count,
    createdAt: time,
  }),
};
