import { randomUUID } from "node:crypto";
import { type RequestRecord, SCHEMA_VERSION } from "../../src/records.js";

/** A call as it is stored, begun at a time in milliseconds. */
export function requestAt(at: number, more: Partial<RequestRecord> = {}): RequestRecord {
  return {
    schemaVersion: SCHEMA_VERSION,
    id: randomUUID(),
    at: new Date(at).toISOString(),
    source: "model",
    serverId: "here",
    model: "tiny",
    digest: null,
    templateId: null,
    promptHash: null,
    inputTokens: 10,
    promptTokens: 100,
    outputTokens: 20,
    cachedTokens: null,
    totalMs: 1000,
    loadMs: 10,
    promptMs: 100,
    outputMs: 800,
    timeToFirstTokenMs: 120,
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
    ...more,
  };
}
