/** Seeded request logs: lognormal durations, and whatever a test adds to them. */
import { type RequestRecord, SCHEMA_VERSION } from "../../src/records.js";

export const START = Date.UTC(2026, 0, 5);

/** A finished call; everything may be said otherwise. */
export function request(changes: Partial<RequestRecord> & { readonly atMs?: number } = {}): RequestRecord {
  const { atMs = START, ...fields } = changes;
  return {
    schemaVersion: SCHEMA_VERSION,
    id: `call-${atMs}`,
    at: new Date(atMs).toISOString(),
    source: "model",
    serverId: "server",
    model: "llama3.2:3b",
    digest: null,
    templateId: "t1",
    promptHash: null,
    inputTokens: 20,
    promptTokens: 200,
    outputTokens: 100,
    cachedTokens: 100,
    totalMs: 1000,
    loadMs: 5,
    promptMs: 95,
    outputMs: 900,
    timeToFirstTokenMs: 100,
    numCtx: 4096,
    numBatch: null,
    modelBytes: null,
    modelVramBytes: null,
    doneReason: "stop",
    toolCalls: 0,
    quality: 1,
    error: null,
    decision: null,
    runId: null,
    ...fields,
  };
}

/** Mulberry32: uniform in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Box-Muller. */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export interface TrafficOptions {
  readonly seed: number;
  readonly calls: number;
  /** Standard deviation of the logarithm of response times. */
  readonly sigma: number;
  /** Factor of a call's time; 1 where nothing happens. */
  readonly factor?: (index: number, random: () => number) => number;
  readonly everyMs?: number;
  readonly fields?: (index: number) => Partial<RequestRecord>;
}

/** Calls with a median of one second. Only the total is told, as by servers that tell no more. */
export function traffic(options: TrafficOptions): RequestRecord[] {
  const random = seeded(options.seed);
  return Array.from({ length: options.calls }, (_, index) => {
    const factor = options.factor?.(index, random) ?? 1;
    const totalMs = 1000 * Math.exp(options.sigma * normal(random)) * factor;
    return request({
      atMs: START + index * (options.everyMs ?? 10_000),
      id: `call-${index}`,
      totalMs,
      promptMs: null,
      outputMs: null,
      promptTokens: null,
      outputTokens: null,
      cachedTokens: null,
      timeToFirstTokenMs: null,
      loadMs: null,
      ...options.fields?.(index),
    });
  });
}
