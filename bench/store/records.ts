/** Records of the size they have in use: a request of 1.3 KB with its decision, a template of 1.7 KB. */
import { createHash } from "node:crypto";
import { type RequestRecord, SCHEMA_VERSION, type TemplateRecord } from "../../src/records.js";
import type { Change } from "../../src/storage/store.js";

const digest = (text: string) => createHash("sha256").update(text).digest("hex");
const MODEL = `sha256:${digest("model")}`;

export function benchRequest(id: string): RequestRecord {
  const at = new Date().toISOString();
  return {
    schemaVersion: SCHEMA_VERSION,
    id,
    at,
    source: "model",
    serverId: `127.0.0.1:11434@${digest("machine").slice(0, 16)}`,
    model: "qwen3:8b",
    digest: MODEL,
    templateId: digest(id).slice(0, 16),
    promptHash: digest(id),
    inputTokens: 120,
    promptTokens: 812,
    outputTokens: 96,
    cachedTokens: 640,
    totalMs: 1412.25,
    loadMs: 21.5,
    promptMs: 310.125,
    outputMs: 1080.5,
    timeToFirstTokenMs: 334.25,
    numCtx: 4096,
    numBatch: null,
    modelBytes: 5_400_000_000,
    modelVramBytes: 5_400_000_000,
    doneReason: "stop",
    toolCalls: 0,
    quality: 1,
    error: null,
    decision: {
      id: `decision-${id}`,
      schemaVersion: SCHEMA_VERSION,
      policyVersion: 1,
      serverId: `127.0.0.1:11434@${digest("machine").slice(0, 16)}`,
      slot: digest("blob"),
      action: "keep",
      numCtx: 4096,
      numBatch: null,
      numPredict: 3284,
      loadedNumCtx: 4096,
      promptTokens: 812,
      needTokens: 1836,
      outputReserve: 1024,
      countSource: "exact",
      confidence: 0.9,
      templateId: digest(id).slice(0, 16),
      trimmedMessages: 0,
      reason: "The loaded window of 4096 tokens covers the need of 1836.",
      decideMs: 0.21,
      outcome: { retries: 0, reloaded: false, shifted: false, cut: false, error: null },
    },
    runId: null,
  };
}

export function benchTemplate(index: number): Change<TemplateRecord> {
  const id = digest(`template ${index}`).slice(0, 16);
  const buckets = (first: number, number: number) =>
    Object.fromEntries(Array.from({ length: number }, (_, bucket) => [String(first + bucket), 1]));
  return {
    id,
    modelDigest: MODEL,
    fingerprintVersion: "128/64-1024/4/1",
    scope: "task",
    systemId: digest(`system ${index % 50}`).slice(0, 16),
    workingWindow: 256,
    fingerprints: Object.fromEntries(
      [64, 128, 256, 512, 1024].map((window) => [String(window), digest(`${id} ${window}`).slice(0, 32)]),
    ),
    counts: {
      observations: 1,
      distanceSum: 7,
      promptTokens: buckets(130, 30),
      outputTokens: buckets(80, 40),
      censored: 0,
      totalMs: buckets(140, 40),
      errors: 0,
    },
  };
}
