import { describe, expect, it } from "vitest";
import { merge } from "../../src/optimizer/histogram.js";
import {
  bestRecord,
  type CallStatistics,
  increments,
  templateStatistics,
} from "../../src/optimizer/templateStatistics.js";
import { SCHEMA_VERSION, type TemplateRecord } from "../../src/records.js";

const CALL: CallStatistics = {
  promptTokens: 200,
  outputTokens: 50,
  totalMs: 900,
  censored: false,
  error: null,
};

function record(id: string, calls: readonly Partial<CallStatistics>[]): TemplateRecord {
  const empty: TemplateRecord["counts"] = {
    observations: 0,
    distanceSum: 0,
    promptTokens: {},
    outputTokens: {},
    censored: 0,
    totalMs: {},
    errors: 0,
  };
  const counts = calls.reduce<TemplateRecord["counts"]>((sum, call) => {
    const more = increments({ ...CALL, ...call });
    return {
      observations: sum.observations + more.observations,
      distanceSum: sum.distanceSum + 6,
      promptTokens: merge(sum.promptTokens, more.promptTokens),
      outputTokens: merge(sum.outputTokens, more.outputTokens),
      censored: sum.censored + more.censored,
      totalMs: merge(sum.totalMs, more.totalMs),
      errors: sum.errors + more.errors,
    };
  }, empty);
  return {
    schemaVersion: SCHEMA_VERSION,
    id,
    createdAt: "2026-01-01T00:00:00.000Z",
    updatedAt: "2026-02-01T00:00:00.000Z",
    modelDigest: "digest",
    fingerprintVersion: "1",
    scope: "task",
    systemId: null,
    workingWindow: 64,
    fingerprints: {},
    counts,
  };
}

/** True within the histogram's precision. */
const near = (actual: number | null, expected: number) =>
  expect(Math.abs((actual ?? Number.NaN) - expected) / expected).toBeLessThanOrEqual(0.025);

describe("templateStatistics", () => {
  it("reads sizes, latencies, errors and recency", () => {
    const calls = Array.from({ length: 100 }, (_, i) => ({ outputTokens: i + 1, totalMs: 10 * (i + 1) }));
    const statistics = templateStatistics(record("t", calls));
    near(statistics.promptTokens.mean, 200);
    near(statistics.outputTokens.p50, 50);
    near(statistics.outputTokens.p99, 99);
    near(statistics.totalMs.p95, 950);
    near(statistics.totalMs.p99, 990);
    expect(statistics).toMatchObject({
      templateId: "t",
      observations: 100,
      meanDistance: 6,
      errorRate: 0,
      lastSeen: "2026-02-01T00:00:00.000Z",
    });
  });

  it("leaves censored samples out of the p99 and says how many there were", () => {
    const whole = Array.from({ length: 30 }, () => ({ outputTokens: 100 }));
    const cut = Array.from({ length: 10 }, () => ({ outputTokens: 4_096, censored: true }));
    const { outputTokens } = templateStatistics(record("t", [...whole, ...cut]));
    near(outputTokens.p99, 100);
    expect(outputTokens).toMatchObject({ samples: 30, censoredShare: 0.25 });
  });

  it("counts a failed call as an error and nothing else", () => {
    const statistics = templateStatistics(record("t", [{ error: "SERVER_ERROR", censored: true }]));
    expect(statistics).toMatchObject({
      errorRate: 1,
      outputTokens: { samples: 0, p99: null, censoredShare: 0 },
      totalMs: { samples: 0, p50: null },
    });
  });
});

describe("bestRecord", () => {
  const calls = (n: number) => Array.from({ length: n }, () => ({}));

  it("takes the most specific record with enough replies", () => {
    const records = [
      record("task", calls(3)),
      undefined,
      record("system", calls(8)),
      record("length", calls(90)),
    ];
    expect(bestRecord(records)?.id).toBe("system");
    expect(bestRecord([record("task", calls(8)), record("system", calls(90))])?.id).toBe("task");
  });

  it("takes the one with most replies when none has enough, and nothing when none has any", () => {
    expect(bestRecord([record("task", calls(2)), record("length", calls(5))])?.id).toBe("length");
    expect(bestRecord([record("task", [{ error: "SERVER_ERROR" }]), undefined])).toBeNull();
    expect(bestRecord([])).toBeNull();
  });
});
