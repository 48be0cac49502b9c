import type { Anomaly } from "../../../src/analysis/types.js";
import type { FinishedCall, RunningCall, TrackedCall } from "../../../src/server/activity.js";

type Outcome = Parameters<TrackedCall["end"]>[0];

let made = 0;

export function runningCall(facts: Partial<RunningCall> = {}): RunningCall {
  return {
    id: `call-${made++}`,
    model: "tiny",
    surface: "ollama",
    path: "/api/chat",
    startedAt: new Date(0).toISOString(),
    phase: "answering",
    numCtx: 4096,
    action: "keep",
    templateId: null,
    promptTokens: 10,
    ...facts,
  };
}

export function outcome(facts: Partial<Outcome> = {}): Outcome {
  return {
    decisionId: null,
    queuedMs: 0,
    timeToFirstTokenMs: 20,
    outputTokens: 5,
    cachedTokens: 0,
    cached: false,
    reloaded: false,
    loadMs: null,
    retries: 0,
    cutPrevented: false,
    status: 200,
    errorCode: null,
    reason: "the loaded window holds it",
    ...facts,
  };
}

export function finishedCall(facts: Partial<FinishedCall> = {}): FinishedCall {
  return { ...runningCall(), ...outcome(), durationMs: 100, ...facts };
}

export function anomaly(key: string, text = `${key} is slow`): Anomaly {
  return {
    key,
    kind: "spike",
    metric: "responseMs",
    group: null,
    at: "2026-11-21T11:00:00.000Z",
    noticedAt: "2026-11-21T11:00:01.000Z",
    requestId: null,
    expected: 100,
    found: 900,
    ratio: 9,
    direction: "worse",
    score: 12,
    cause: "queue",
    text,
  };
}
