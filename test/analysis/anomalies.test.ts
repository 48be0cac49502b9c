import { describe, expect, test } from "vitest";
import { AnomalyDetector, anomaliesOf } from "../../src/analysis/anomalies.js";
import type { Anomaly } from "../../src/analysis/types.js";
import { seededRandom } from "../../src/calibration/prose.js";
import type { RequestRecord } from "../../src/records.js";
import { normal, request, START, traffic } from "./traffic.js";

const now = START + 365 * 86_400_000;
const found = (requests: Iterable<RequestRecord>, options = {}) =>
  anomaliesOf(requests, { now, ...options }).anomalies;

/** Steady calls with a little noise, then others. */
function steadyThen(
  count: number,
  after: Partial<RequestRecord>[],
  steady: Partial<RequestRecord> = {},
): RequestRecord[] {
  const random = seededRandom(4);
  const wobble = () => Math.exp(0.05 * normal(random));
  const calls = Array.from({ length: count }, () => {
    const [promptMs, outputMs] = [95 * wobble(), 900 * wobble()];
    return { promptMs, outputMs, totalMs: 5 + promptMs + outputMs, ...steady };
  });
  return [...calls, ...after].map((fields, index) =>
    request({ atMs: START + index * 5000, id: `c${index}`, ...fields }),
  );
}

describe("a slow call is told with its cause", () => {
  const slow = (fields: Partial<RequestRecord>, steady: Partial<RequestRecord> = {}) =>
    found(steadyThen(60, [fields], steady)).filter(({ kind }) => kind === "spike");

  test.each<[string, string, Partial<RequestRecord>, Partial<RequestRecord>?]>([
    ["a load", "reload", { loadMs: 5000, totalMs: 6000 }],
    [
      "longer prompts",
      "longerPrompts",
      { promptTokens: 9000, cachedTokens: 100, promptMs: 8000, totalMs: 9000 },
    ],
    ["a cold prefix", "coldPrefix", { cachedTokens: 0, promptMs: 5000, totalMs: 6000 }],
    [
      "a cold prefix where the server does not tell",
      "coldPrefix",
      { cachedTokens: null, promptMs: 5000, totalMs: 6000 },
      { cachedTokens: null },
    ],
    ["longer replies", "longerReplies", { outputTokens: 800, outputMs: 7200, totalMs: 7300 }],
    ["waiting in line", "queue", { totalMs: 8000 }],
    [
      "a spill",
      "spill",
      { outputMs: 7000, totalMs: 7100, modelBytes: 8e9, modelVramBytes: 5e9 },
      { modelBytes: 8e9, modelVramBytes: 8e9 },
    ],
    [
      "a busy machine",
      "busyMachine",
      {
        outputMs: 7000,
        totalMs: 7100,
        host: { cpuPercent: 95, memoryUsedBytes: 1e9, memoryTotalBytes: 4e9 },
      },
      { host: { cpuPercent: 20, memoryUsedBytes: 1e9, memoryTotalBytes: 4e9 } },
    ],
  ])("%s", (_, cause, fields, steady) => {
    const [anomaly, ...others] = slow(fields, steady);
    expect(others).toEqual([]);
    expect(anomaly).toMatchObject({ kind: "spike", cause, requestId: "c60", direction: "worse" });
    expect(anomaly!.ratio).toBeGreaterThan(5);
    expect(anomaly!.text).toContain("1 s is usual");
  });

  test("or without one, where the records do not tell", () => {
    expect(slow({ totalMs: 8000, promptMs: null, outputMs: null })[0]?.cause).toBeNull();
  });

  test("a call that failed is none", () => {
    expect(slow({ totalMs: 60_000, error: "TIMEOUT" })).toEqual([]);
  });

  test("also among more first calls than the baseline holds", () => {
    const slowFirst = steadyThen(300, []).map((each, index) =>
      index === 2 ? { ...each, totalMs: 8000 } : each,
    );
    const [anomaly] = found(slowFirst, { window: 32, minimum: 200 });
    expect(anomaly).toMatchObject({ kind: "spike", requestId: "c2" });
  });

  test("also among the first calls, once there are enough of them", () => {
    const calls = steadyThen(60, []);
    const early = calls.map((call, index) => (index === 7 ? { ...call, totalMs: 9000 } : call));
    expect(found(early)).toMatchObject([{ kind: "spike", requestId: "c7" }]);
  });
});

describe("a change of level", () => {
  test("is told with its moment, size and cause, and so is the way back", () => {
    const spilled = Array.from({ length: 80 }, () => ({
      outputMs: 1800,
      totalMs: 1900,
      modelBytes: 8e9,
      modelVramBytes: 6e9,
    }));
    const back = Array.from({ length: 80 }, () => ({ modelBytes: 8e9, modelVramBytes: 8e9 }));
    const calls = steadyThen(100, [...spilled, ...back], { modelBytes: 8e9, modelVramBytes: 8e9 });
    const changes = found(calls).filter(({ kind }) => kind === "change");
    expect(changes).toMatchObject([
      { direction: "worse", cause: "spill", at: calls[100]!.at },
      { direction: "better", cause: null, at: calls[180]!.at },
    ]);
    expect(changes[0]!.ratio).toBeCloseTo(1.9, 1);
    expect(Date.parse(changes[0]!.noticedAt)).toBeLessThanOrEqual(Date.parse(calls[110]!.at));
    expect(changes[0]!.key).not.toBe(changes[1]!.key);
  });

  test("in the time of each token is seen through lengths that vary ten times as much", () => {
    const random = seededRandom(9);
    const calls = Array.from({ length: 300 }, (_, index) => {
      const outputTokens = Math.round(200 * Math.exp(0.9 * normal(random)));
      const outputMs = 10 * outputTokens * Math.exp(0.08 * normal(random)) * (index < 200 ? 1 : 1.4);
      return request({
        atMs: START + index * 5000,
        id: `c${index}`,
        outputTokens,
        outputMs,
        totalMs: outputMs + 100,
      });
    });
    const changes = found(calls).filter(({ kind }) => kind === "change");
    expect(changes).toHaveLength(1);
    expect(changes[0]).toMatchObject({ metric: "msPerToken", direction: "worse" });
    const delay = calls.findIndex(({ id }) => id === changes[0]!.requestId) - 199;
    expect(delay).toBeGreaterThan(0);
    expect(delay).toBeLessThanOrEqual(30);
  });

  test("that crept in over more calls than are kept is told all the same, against calls before it", () => {
    const ratios = [1, 2, 3, 4].flatMap((seed) => {
      const factor = (index: number) => Math.exp(0.004 * index);
      const drifting = traffic({ seed, calls: 1_000, sigma: 0.6, factor });
      return found(drifting, { window: 32, minimum: 20 }).map(({ ratio }) => ratio);
    });
    expect(ratios.length).toBeGreaterThan(0);
    for (const ratio of ratios) expect(ratio).toBeGreaterThan(0);
  });

  test("of one template is not another's", () => {
    const calls = Array.from({ length: 400 }, (_, index) => {
      const isOther = index % 2 === 1;
      const totalMs = isOther ? 3000 : index > 250 ? 2000 : 1000;
      return request({
        atMs: START + index * 1000,
        templateId: isOther ? "t2" : "t1",
        totalMs,
        promptMs: null,
        outputMs: null,
      });
    });
    expect(new Set(found(calls).map(({ group }) => group?.templateId))).toEqual(new Set(["t1"]));
  });
});

test("a slow way that a third of calls go is no exception, and a still slower call is one", () => {
  const factor = (index: number, random: () => number) => (index === 900 ? 40 : random() < 0.3 ? 4 : 1);
  const told = found(traffic({ seed: 5, calls: 1000, sigma: 0.2, factor }));
  expect(told.length).toBeLessThan(60);
  expect(told.map(({ requestId }) => requestId)).toContain("call-900");
});

test("three standard deviations are an option, and miss what robust statistics find", () => {
  const factor = (index: number) => (index % 12 === 5 ? 7 : 1);
  const requests = traffic({ seed: 2, calls: 600, sigma: 0.3, factor });
  const spikes = (anomalies: readonly Anomaly[]) => anomalies.filter(({ kind }) => kind === "spike").length;
  const lone = traffic({ seed: 2, calls: 600, sigma: 0.2, factor: (index) => (index === 300 ? 7 : 1) });
  expect(found(lone, { method: "threeSigma" }).map(({ requestId }) => requestId)).toContain("call-300");
  expect(spikes(found(requests))).toBeGreaterThanOrEqual(48);
  expect(spikes(found(requests, { method: "threeSigma" }))).toBeLessThan(30);
});

describe("the machine", () => {
  const host = (cpuPercent: number, memoryUsedBytes: number) => ({
    cpuPercent,
    memoryUsedBytes,
    memoryTotalBytes: 16e9,
  });

  test("is told of when memory or CPU passes 1.5 times its mean, once", () => {
    const calls = Array.from({ length: 60 }, (_, index) =>
      request({
        atMs: START + index * 10_000,
        host: index < 40 ? host(20 + (index % 3), 4e9 + index) : host(60 + (index % 3), 7e9 + index),
      }),
    );
    const resources = found(calls).filter(({ kind }) => kind === "resource");
    expect(resources.map(({ metric }) => metric).sort()).toEqual(["cpuPercent", "memoryBytes"]);
    expect(resources[0]!.at).toBe(calls[41]!.at);
  });

  test("that stays busy for an hour is told of once, as is a reload storm that lasts", () => {
    const calls = Array.from({ length: 120 }, (_, index) =>
      request({
        id: `c${index}`,
        atMs: START + index * 60_000,
        host: host((index < 60 ? 20 : 90) + (index % 3), 4e9),
        decision: null,
        ...(index >= 60 && { loadMs: 3000, totalMs: 4000 }),
      }),
    );
    const lasting = found(calls).filter(({ kind }) => kind === "resource" || kind === "reloadStorm");
    expect(lasting.map(({ kind }) => kind).sort()).toEqual(["reloadStorm", "resource"]);
  });

  test("that loads a model has no leak: its memory makes one step", () => {
    const random = seededRandom(6);
    const calls = Array.from({ length: 120 }, (_, index) =>
      request({
        atMs: START + index * 10_000,
        host: host(20, 8e9 + 1e7 * normal(random) + (index >= 60 ? 3e9 : 0)),
      }),
    );
    expect(found(calls).filter(({ kind }) => kind === "memoryGrowth")).toEqual([]);
  });
});

describe("request volume", () => {
  const day = (perHour: (hour: number) => number, hours: number): RequestRecord[] =>
    Array.from({ length: hours }, (_, hour) =>
      Array.from({ length: perHour(hour) }, (_, index) =>
        request({ atMs: START + hour * 3_600_000 + index * 1000 }),
      ),
    ).flat();

  test("tells a surge while it lasts, and a drop when its hour is over, from the second week on", () => {
    const calls = day((hour) => (hour === 180 ? 300 : hour === 200 ? 5 : 90 + ((hour * 7) % 21)), 210);
    const volume = found(calls).filter(({ kind }) => kind === "volume");
    expect(volume).toHaveLength(2);
    expect(volume[0]).toMatchObject({
      at: new Date(START + 180 * 3_600_000).toISOString(),
      metric: "requests",
      key: "volume surge",
    });
    expect(volume[0]!.found).toBeLessThan(200);
    expect(volume[1]).toMatchObject({
      at: new Date(START + 200 * 3_600_000).toISOString(),
      found: 5,
      key: "volume drop",
    });
    expect(found(day((hour) => (hour === 100 ? 300 : 90), 110))).toEqual([]);
  });

  test("tells of hours without any request, once", () => {
    const calls = day((hour) => (hour >= 200 && hour < 204 ? 0 : 60), 210);
    const volume = found(calls).filter(({ kind }) => kind === "volume");
    expect(volume).toHaveLength(1);
    expect(volume[0]).toMatchObject({
      at: new Date(START + 200 * 3_600_000).toISOString(),
      found: 0,
      key: "volume drop",
    });
  });

  test("knows mornings, nights and weekends", () => {
    const random = seededRandom(12);
    const office = (hour: number) => {
      const isWork = Math.floor(hour / 24) % 7 < 5 && hour % 24 >= 7 && hour % 24 < 17;
      return Math.round((isWork ? 25 : 0.3) * Math.exp(0.3 * normal(random)));
    };
    expect(found(day(office, 24 * 28)).filter(({ kind }) => kind === "volume")).toEqual([]);
  });

  test("says nothing about Poisson traffic", () => {
    const random = seededRandom(8);
    const poisson = () => {
      let [count, product] = [0, random()];
      for (const limit = Math.exp(-20); product > limit; count++) product *= random();
      return count;
    };
    expect(found(day(poisson, 400)).filter(({ kind }) => kind === "volume")).toEqual([]);
  });
});

describe("at the door", () => {
  const bad: [string, Partial<RequestRecord>][] = [
    ["at is no time", { at: "soon" }],
    ["at is before 1970", { at: "1901-12-13T20:45:52.000Z" }],
    ["at is in the future", { at: new Date(now + 3_600_000).toISOString() }],
    ["totalMs is no number", { totalMs: Number.NaN }],
    ["loadMs is negative", { loadMs: -1 }],
    ["outputTokens is no number", { outputTokens: Number.POSITIVE_INFINITY }],
    [
      "memoryUsedBytes is no number",
      { host: { cpuPercent: 1, memoryUsedBytes: Number.NaN, memoryTotalBytes: 1 } },
    ],
  ];
  test.each(bad)("a record is refused because %s", (reason, fields) => {
    const good = traffic({ seed: 1, calls: 50, sigma: 0.2 });
    const { refused, groups } = anomaliesOf([...good, request(fields)], { now });
    expect(refused).toEqual({ records: 1, reasons: { [reason]: 1 } });
    expect(groups[0]?.calls).toBe(50);
  });

  test("options are checked", () => {
    expect(() => anomaliesOf([], { now: Number.NaN })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
    expect(() => anomaliesOf([], { now, minimum: 3 })).toThrow("minimum is 3");
    expect(() => new AnomalyDetector({ volumeBucketMs: 0 })).toThrow("volumeBucketMs is 0");
  });
});

test("too few calls are too few, not a number", () => {
  const { groups, anomalies } = anomaliesOf(traffic({ seed: 1, calls: 7, sigma: 0.3 }), { now });
  expect(anomalies).toEqual([]);
  expect(groups[0]?.judged).toEqual({ enough: false, have: 7, need: 40, text: "not enough data (7 of 40)" });
});

test("a detector that is fed call by call finds what a whole log shows", () => {
  const requests = traffic({
    seed: 3,
    calls: 500,
    sigma: 0.3,
    factor: (index) => (index % 50 === 49 ? 8 : index > 300 ? 1.6 : 1),
  });
  const detector = new AnomalyDetector();
  expect(requests.flatMap((each) => detector.take(each, now))).toEqual(found(requests));
});
