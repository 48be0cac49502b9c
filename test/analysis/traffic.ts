/** Seeded request logs: lognormal durations, and whatever a test adds to them. */
import { seededRandom } from "../../src/calibration/prose.js";
import type { RequestRecord } from "../../src/records.js";
import { request as stored } from "../contract/records.js";

export const START = Date.UTC(2026, 0, 5);

/** A finished call; everything may be said otherwise. */
export function request(changes: Partial<RequestRecord> & { readonly atMs?: number } = {}): RequestRecord {
  const { atMs = START, ...fields } = changes;
  return stored(`call-${atMs}`, {
    at: new Date(atMs).toISOString(),
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
    modelBytes: null,
    modelVramBytes: null,
    ...fields,
  });
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
  const random = seededRandom(options.seed);
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
