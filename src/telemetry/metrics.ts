/** The GenAI metrics of OpenTelemetry, with the buckets that its conventions ask for. */
import type { Attributes, Histogram, Meter } from "@opentelemetry/api";
import type { RequestRecord } from "../records.js";
import { commonAttributes, seconds } from "./attributes.js";

const SECONDS = Array.from({ length: 14 }, (_, power) => 2 ** power / 100);
const FIRST_TOKEN_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
const PER_TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const TOKENS = Array.from({ length: 14 }, (_, power) => 4 ** power);

/**
 * Records a request's metrics. `gen_ai.server.*` are the durations that Ollama itself tells with its reply:
 * loading and reading the prompt until the first token, then the time by token.
 *
 * @returns takes a request and its duration as this program saw it, in milliseconds
 */
export function requestMetrics(meter: Meter): (request: RequestRecord, durationMs: number) => void {
  const histogram = (name: string, unit: string, description: string, boundaries: number[]): Histogram =>
    meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: boundaries } });
  const duration = histogram("gen_ai.client.operation.duration", "s", "GenAI operation duration.", SECONDS);
  const firstChunk = histogram(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "Time to receive the first chunk.",
    SECONDS,
  );
  const tokens = histogram(
    "gen_ai.client.token.usage",
    "{token}",
    "Number of input and output tokens used.",
    TOKENS,
  );
  const server = histogram(
    "gen_ai.server.request.duration",
    "s",
    "Generative AI server request duration.",
    SECONDS,
  );
  const firstToken = histogram(
    "gen_ai.server.time_to_first_token",
    "s",
    "Time to generate the first token.",
    FIRST_TOKEN_SECONDS,
  );
  const perToken = histogram(
    "gen_ai.server.time_per_output_token",
    "s",
    "Time per output token.",
    PER_TOKEN_SECONDS,
  );

  return (request, durationMs) => {
    const common = commonAttributes(request);
    const { outputTokens, outputMs, loadMs, promptMs } = request;
    duration.record(durationMs / 1000, common);
    record(firstChunk, seconds(request.timeToFirstTokenMs), common);
    record(tokens, request.promptTokens, { ...common, "gen_ai.token.type": "input" });
    record(tokens, outputTokens, { ...common, "gen_ai.token.type": "output" });
    if (request.source === "callback" || request.error !== null) return;
    record(server, seconds(request.totalMs), common);
    if (promptMs !== null) firstToken.record(((loadMs ?? 0) + promptMs) / 1000, common);
    if (outputTokens && outputMs !== null) perToken.record(outputMs / outputTokens / 1000, common);
  };
}

function record(histogram: Histogram, value: number | null, attributes: Attributes): void {
  if (value !== null) histogram.record(value, attributes);
}
