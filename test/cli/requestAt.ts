import { randomUUID } from "node:crypto";
import type { RequestRecord } from "../../src/records.js";
import { request } from "../contract/records.js";

/** A call as it is stored, begun at a time in milliseconds. */
export function requestAt(at: number, more: Partial<RequestRecord> = {}): RequestRecord {
  return request(randomUUID(), {
    at: new Date(at).toISOString(),
    serverId: "here",
    model: "tiny",
    digest: null,
    promptHash: null,
    inputTokens: 10,
    promptTokens: 100,
    outputTokens: 20,
    totalMs: 1000,
    loadMs: 10,
    promptMs: 100,
    outputMs: 800,
    timeToFirstTokenMs: 120,
    modelBytes: null,
    modelVramBytes: null,
    ...more,
  });
}
