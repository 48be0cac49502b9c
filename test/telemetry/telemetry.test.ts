import { HumanMessage } from "@langchain/core/messages";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { expect, test } from "vitest";
import { OptimizedChatOllama, OptimizerCallbackHandler } from "../../src/index.js";
import type { RequestRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import { observeWith, type TelemetryOptions } from "../../src/telemetry/index.js";
import { startOllamaServer } from "../../src/testing/index.js";
import { call, NOON } from "../monitor/calls.js";

function tracing() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { tracer: provider.getTracer("test"), spans: () => exporter.getFinishedSpans() };
}

function metering() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  return {
    meter: provider.getMeter("test"),
    /** Points by the metric's name. */
    collect: async () => {
      await provider.forceFlush();
      const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics[0]!.metrics);
      return new Map(
        metrics.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          { unit: descriptor.unit, points: dataPoints as DataPoint<Histogram>[] },
        ]),
      );
    },
  };
}

async function told(request: RequestRecord, options: TelemetryOptions): Promise<void> {
  const store = memoryStore({ storeText: true });
  const stop = observeWith(store, { now: () => NOON + 2_000, ...options });
  await store.append(request);
  stop();
  await store.append(call(NOON, { id: "after the end" }));
  await store.close();
}

const OLLAMA = {
  serverId: "http://127.0.0.1:11434@abc",
  model: "qwen3:8b",
  promptTokens: 812,
  outputTokens: 96,
  cachedTokens: 640,
  totalMs: 1_400,
  loadMs: 100,
  promptMs: 300,
  outputMs: 960,
  timeToFirstTokenMs: 450,
};

test("a call is a client's span with the names of the GenAI conventions", async () => {
  const { tracer, spans } = tracing();
  await told(call(NOON, OLLAMA), { tracer });

  expect(spans()).toHaveLength(1);
  const [span] = spans();
  expect(span).toMatchObject({ name: "chat qwen3:8b", kind: SpanKind.CLIENT });
  expect(span!.startTime[0] * 1e3 + span!.startTime[1] / 1e6).toBe(NOON);
  expect(span!.duration).toEqual([2, 0]);
  expect(span!.status.code).toBe(SpanStatusCode.UNSET);
  expect(span!.attributes).toMatchObject({
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "ollama",
    "gen_ai.request.model": "qwen3:8b",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.time_to_first_chunk": 0.45,
    "gen_ai.usage.input_tokens": 812,
    "gen_ai.usage.output_tokens": 96,
    "gen_ai.usage.cache_read.input_tokens": 640,
    "server.address": "127.0.0.1",
    "server.port": 11434,
  });
});

test("what is not known is left out", async () => {
  const { tracer, spans } = tracing();
  await told(call(NOON, { outputTokens: null, timeToFirstTokenMs: null, cachedTokens: null }), { tracer });

  const names = Object.keys(spans()[0]!.attributes);
  expect(names).not.toContain("gen_ai.usage.output_tokens");
  expect(names).not.toContain("gen_ai.response.time_to_first_chunk");
  expect(Object.values(spans()[0]!.attributes)).not.toContain(null);
});

test("a failed call is a span with the error's code", async () => {
  const { tracer, spans } = tracing();
  await told(call(NOON, { error: "OUT_OF_MEMORY" }), { tracer });

  expect(spans()[0]!.status).toEqual({ code: SpanStatusCode.ERROR, message: "OUT_OF_MEMORY" });
  expect(spans()[0]!.attributes["error.type"]).toBe("OUT_OF_MEMORY");
});

test("prompts are in no attribute unless they are asked for", async () => {
  const text = { prompt: "a secret question", reply: "a secret answer" };
  const closed = tracing();
  await told(call(NOON, { text }), { tracer: closed.tracer });
  const open = tracing();
  await told(call(NOON, { text }), { tracer: open.tracer, includeText: true });

  expect(JSON.stringify(closed.spans()[0]!.attributes)).not.toContain("secret");
  expect(JSON.parse(String(open.spans()[0]!.attributes["gen_ai.input.messages"]))).toEqual([
    { role: "user", parts: [{ type: "text", content: "a secret question" }] },
  ]);
});

test("a call is counted in the metrics of the conventions, in seconds and with their buckets", async () => {
  const { meter, collect } = metering();
  await told(call(NOON, OLLAMA), { meter });
  const metrics = await collect();
  const sum = (name: string) => metrics.get(name)?.points.map(({ value }) => value.sum);

  expect(sum("gen_ai.client.operation.duration")).toEqual([2]);
  expect(sum("gen_ai.client.operation.time_to_first_chunk")).toEqual([0.45]);
  expect(sum("gen_ai.client.token.usage")).toEqual([812, 96]);
  expect(sum("gen_ai.server.request.duration")).toEqual([1.4]);
  expect(sum("gen_ai.server.time_to_first_token")).toEqual([0.4]);
  expect(sum("gen_ai.server.time_per_output_token")).toEqual([0.01]);
  const { unit, points } = metrics.get("gen_ai.client.operation.duration")!;
  expect(unit).toBe("s");
  expect(points[0]!.value.buckets.boundaries.slice(0, 3)).toEqual([0.01, 0.02, 0.04]);
  const [input, output] = metrics.get("gen_ai.client.token.usage")!.points;
  expect(input!.attributes["gen_ai.token.type"]).toBe("input");
  expect(output!.attributes["gen_ai.token.type"]).toBe("output");
});

test("of another provider's model only what the client saw is counted", async () => {
  const { meter, collect } = metering();
  await told(call(NOON, { source: "callback", serverId: "openai", model: "gpt" }), { meter });
  const metrics = await collect();

  expect([...metrics.keys()].filter((name) => name.includes("server"))).toEqual([]);
  expect(metrics.get("gen_ai.client.operation.duration")!.points[0]!.attributes).toMatchObject({
    "gen_ai.provider.name": "openai",
  });
});

test("a call of the chat model is traced, whoever made the model", async () => {
  const ollama = await startOllamaServer({ models: [{ name: "tiny", trainedNumCtx: 8_192 }] });
  const model = new OptimizedChatOllama({ model: "tiny", baseUrl: ollama.origin, store: memoryStore() });
  const { tracer, spans } = tracing();
  observeWith(model.store, { tracer });
  await model.invoke([new HumanMessage("hello")]);

  expect(spans().map(({ name }) => name)).toEqual(["chat tiny"]);
  expect(spans()[0]!.attributes).toMatchObject({ "ollama_optimizer.action": "load" });
  await model.store.close();
  await ollama.close();
});

test("a call that two observers hand in is told once", async () => {
  const { tracer, spans } = tracing();
  const { meter, collect } = metering();
  const store = memoryStore();
  const stop = observeWith(store, { tracer, meter, now: () => NOON + 2_000 });
  const handlers = [1, 2].map(() => new OptimizerCallbackHandler({ store }));
  const model = new FakeListChatModel({ responses: ["yes"] });
  await model.invoke("Is it?", { callbacks: handlers });
  stop();
  await store.flush();

  expect(spans()).toHaveLength(1);
  const { points } = (await collect()).get("gen_ai.client.operation.duration")!;
  expect(points.map(({ value }) => value.count)).toEqual([1]);
  await store.close();
});
