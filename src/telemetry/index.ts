/**
 * `langchain-ollama-optimizer/telemetry`: every recorded call as a span and in metrics of OpenTelemetry, for those
 * who hand in a tracer or a meter. Of `@opentelemetry/api` only types are used.
 */
import type { Meter, SpanKind, SpanStatusCode, Tracer } from "@opentelemetry/api";
import type { RequestRecord } from "../records.js";
import { onAppend } from "../storage/appended.js";
import type { OptimizerStore } from "../storage/store.js";
import { spanAttributes } from "./attributes.js";
import { requestMetrics } from "./metrics.js";

/** Where recorded calls go to, as OpenTelemetry's own objects. */
export interface TelemetryOptions {
  readonly tracer?: Tracer;
  readonly meter?: Meter;
  /** Adds prompt and reply to the spans of requests that have their text (`storeText`). Default false. */
  readonly includeText?: boolean;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

const CLIENT = 2 satisfies SpanKind.CLIENT as SpanKind;
const ERROR = 2 satisfies SpanStatusCode.ERROR as SpanStatusCode;

/** Ids remembered: two callback handlers on one store hand in the same call. */
const REMEMBERED = 2_000;

/**
 * Tells OpenTelemetry of each call that this process records in a store, when it ends. A span is a child of what
 * is active then: with a context manager, of the caller's own span.
 *
 * @returns ends it
 * @example
 * const stop = observeWith(model.store, {
 *   tracer: trace.getTracer("my-program"),
 *   meter: metrics.getMeter("my-program"),
 * });
 */
export function observeWith(store: OptimizerStore, options: TelemetryOptions): () => void {
  const { tracer, meter, includeText = false, now = Date.now } = options;
  const measure = meter && requestMetrics(meter);
  const told = new Set<string>();
  return onAppend(store, (request) => {
    if (told.has(request.id)) return;
    told.add(request.id);
    if (told.size > REMEMBERED) told.delete(told.values().next().value as string);
    const startedAt = Date.parse(request.at);
    // A clock that was put back while the call ran would make it shorter than the server says it was.
    const durationMs = Math.max(now() - startedAt, request.totalMs ?? 0);
    if (tracer) trace(tracer, request, startedAt, durationMs, includeText);
    measure?.(request, durationMs);
  });
}

function trace(
  tracer: Tracer,
  request: RequestRecord,
  startedAt: number,
  durationMs: number,
  includeText: boolean,
): void {
  const span = tracer.startSpan(`chat ${request.model}`, {
    kind: CLIENT,
    startTime: startedAt,
    attributes: spanAttributes(request, includeText),
  });
  if (request.error !== null) span.setStatus({ code: ERROR, message: request.error });
  span.end(startedAt + durationMs);
}
