/** Records for store tests. */
import type { RequestRecord, RuleRecord, TemplateRecord } from "../../src/records.ts";
import type { Change } from "../../src/storage/store.ts";

const FIRST_OF_JUNE = Date.UTC(2024, 5, 1);

/** The time so many seconds after a fixed day, ISO 8601. */
export function time(seconds: number): string {
  return new Date(FIRST_OF_JUNE + seconds * 1000).toISOString();
}

export function request(id: string, fields: Partial<RequestRecord> = {}): RequestRecord {
  return {
    schemaVersion: 1,
    id,
    at: time(0),
    source: "model",
    serverId: "server-a",
    model: "qwen3:8b",
    digest: "sha256:500a1f067a9f782620b40bee6f7b0c89e17ae61f686b92c24933e4ca4b2b8b41",
    templateId: null,
    promptHash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    inputTokens: 12,
    promptTokens: 812,
    outputTokens: 96,
    cachedTokens: null,
    totalMs: 1412.25,
    loadMs: 21.5,
    promptMs: 310,
    outputMs: 1080,
    timeToFirstTokenMs: 334,
    numCtx: 4096,
    numBatch: null,
    modelBytes: 5_400_000_000,
    modelVramBytes: 5_400_000_000,
    doneReason: "stop",
    toolCalls: 0,
    quality: 1,
    error: null,
    decision: null,
    runId: null,
    ...fields,
  };
}

export function template(id: string, seconds = 0, observations = 1): Change<TemplateRecord> {
  return {
    id,
    createdAt: time(seconds),
    updatedAt: time(seconds),
    modelDigest: "sha256:500a1f067a9f7826",
    fingerprintVersion: "128/64-1024/4/1",
    scope: "task",
    systemId: null,
    workingWindow: 128,
    fingerprints: { "64": "a3f1c0de00112233445566778899aabb" },
    counts: {
      observations,
      distanceSum: 3 * observations,
      promptTokens: { "120": observations },
      outputTokens: { "80": observations },
      censored: 0,
      totalMs: { "100": observations },
      errors: 0,
    },
  };
}

export function rule(id: string, fields: Change<RuleRecord> = { id }): Change<RuleRecord> {
  return {
    templateId: "t",
    parameter: "numBatch",
    value: 512,
    confidence: 0.5,
    state: "trial",
    counts: { success: 1, total: 1 },
    ...fields,
    id,
  };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
