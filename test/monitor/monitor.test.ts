import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Monitor } from "../../src/monitor/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { call, lognormal, NOON, seeded } from "./calls.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function monitorAt(now: number, options = {}): Monitor {
  return new Monitor({ now: () => now, ...options });
}

describe("figures", () => {
  test("are of the last minutes, hours or days", () => {
    const monitor = monitorAt(NOON);
    for (const ago of [0, 5 * MINUTE, 3 * HOUR, 2 * DAY]) monitor.record(call(NOON - ago));

    expect(monitor.figures({ minutes: 1 }).calls).toBe(1);
    expect(monitor.figures({ minutes: 15 }).calls).toBe(2);
    expect(monitor.figures({ hours: 4 }).calls).toBe(3);
    expect(monitor.figures({ days: 7 }).calls).toBe(4);
  });

  test("are told by model and by template", () => {
    const monitor = monitorAt(NOON);
    monitor.record(call(NOON, { model: "small", templateId: "a", totalMs: 100 }));
    monitor.record(call(NOON, { model: "small", templateId: "b", totalMs: 400 }));
    monitor.record(call(NOON, { model: "large", templateId: null, totalMs: 9_000 }));

    expect(monitor.figures({ hours: 1 }, { model: "small" }).calls).toBe(2);
    const { responseMs } = monitor.figures({ hours: 1 }, { model: "small", templateId: "b" });
    expect(Math.abs(responseMs!.p50 / 400 - 1)).toBeLessThan(0.0245);
    expect(monitor.figures({ hours: 1 }, { model: "none" })).toMatchObject({ calls: 0, responseMs: null });
    expect(monitor.scopes()).toEqual([
      { model: "small" },
      { model: "small", templateId: "a" },
      { model: "small", templateId: "b" },
      { model: "large" },
    ]);
  });

  test("hold percentiles of time and speed at most 2.4 % off, volume, errors, tokens and the machine", () => {
    const random = seeded(3);
    const monitor = monitorAt(NOON);
    const times: number[] = [];
    for (let index = 0; index < 5_000; index++) {
      const totalMs = lognormal(random, 1_500, 0.5);
      times.push(totalMs);
      const host = { cpuPercent: index % 100, memoryUsedBytes: 1e9, memoryTotalBytes: 4e9 };
      monitor.record(call(NOON - index, { totalMs, host, outputTokens: 10, outputMs: 20_000 }));
    }
    monitor.record(call(NOON, { error: "SERVER_BUSY", totalMs: 1, outputTokens: null }));
    times.sort((a, b) => a - b);
    const figures = monitor.figures({ minutes: 5 });

    expect(figures.responseMs!.p90 / times[4_499]!).toBeCloseTo(1, 1);
    expect(Math.abs(figures.responseMs!.p99 / times[4_949]! - 1)).toBeLessThan(0.0245);
    expect(figures.tokensPerSecond!.p50).toBeCloseTo(0.5, 1);
    expect(figures).toMatchObject({ calls: 5_001, errors: 1, outputTokens: 50_000 });
    expect(figures.cpuPercent).toEqual({ mean: 49.5, most: 99 });
    expect(figures.memoryPercent).toEqual({ mean: 25, most: 25 });
  });

  test("come by span of time for a chart", () => {
    const monitor = monitorAt(NOON);
    monitor.record(call(NOON - 2 * HOUR));
    monitor.record(call(NOON - HOUR));
    monitor.record(call(NOON - HOUR));

    const spans = monitor.spans({ hours: 24 });
    expect(spans.map(({ from, calls }) => [from, calls])).toEqual([
      ["2025-06-18T10:00:00.000Z", 1],
      ["2025-06-18T11:00:00.000Z", 2],
    ]);
  });

  test("of any order of arrival are the same", () => {
    const ages = fc.array(fc.integer({ min: 0, max: 40 * DAY }), { maxLength: 60 });
    fc.assert(
      fc.property(ages, (list) => {
        const sorted = monitorAt(NOON);
        const arriving = monitorAt(NOON);
        for (const age of [...list].sort((a, b) => b - a)) sorted.record(call(NOON - age));
        for (const age of list) arriving.record(call(NOON - age));

        for (const last of [{ minutes: 60 }, { hours: 48 }, { days: 31 }]) {
          expect(arriving.figures(last)).toEqual(sorted.figures(last));
        }
      }),
      { numRuns: 30 },
    );
  });

  test("count each call once, whenever it came and however often somebody looked meanwhile", () => {
    const age = fc.oneof(...[2 * MINUTE, 2 * HOUR, 2 * DAY].map((max) => fc.integer({ min: 0, max })));
    const lasts = [
      [{ minutes: 60 }, MINUTE, 60],
      [{ hours: 48 }, HOUR, 48],
      [{ days: 31 }, DAY, 31],
    ] as const;
    fc.assert(
      fc.property(fc.array(fc.tuple(age, fc.boolean()), { maxLength: 40 }), (arrivals) => {
        const monitor = monitorAt(NOON);
        const counted = () =>
          lasts.map(([last]) => [
            monitor.figures(last).calls,
            monitor.spans(last).reduce((sum, { calls }) => sum + calls, 0),
          ]);
        for (const [ago, looks] of arrivals) {
          monitor.record(call(NOON - ago));
          if (looks) counted();
        }
        const expected = lasts.map(([, width, length]) => {
          const oldest = Math.floor(NOON / width) - length;
          return arrivals.filter(([ago]) => Math.floor((NOON - ago) / width) > oldest).length;
        });
        expect(counted()).toEqual(expected.map((count) => [count, count]));
      }),
      { numRuns: 200 },
    );
  });
});

test("whatever a clock did before it was put right, each call from then on is counted once", () => {
  const lasts = [{ minutes: 60 }, { hours: 48 }, { days: 31 }];
  const widths = [MINUTE, HOUR, DAY];
  const errors = fc.oneof(...[HOUR, 3 * DAY, 400 * DAY].map((max) => fc.integer({ min: -max, max })));
  const ages = fc.oneof(...[30 * MINUTE, 40 * HOUR, 25 * DAY].map((max) => fc.integer({ min: 0, max })));
  const wrong = fc.array(fc.tuple(errors, fc.boolean()), { minLength: 1, maxLength: 6 });
  const right = fc.array(fc.tuple(ages, fc.integer({ min: 0, max: 2 * DAY })), { maxLength: 20 });
  fc.assert(
    fc.property(wrong, right, (before, after) => {
      let now = NOON;
      const monitor = new Monitor({ now: () => now });
      const counted = () => lasts.map((last) => monitor.figures(last).calls);
      for (const [error, looks] of before) {
        now = NOON + error;
        monitor.record(call(now));
        if (looks) counted();
      }
      now = NOON;
      for (const [age, pause] of after) {
        now += pause;
        const known = counted();
        monitor.record(call(now - age));
        const isWithin = (index: number) =>
          Math.floor(now / widths[index]!) - Math.floor((now - age) / widths[index]!) < [60, 48, 31][index]!;
        expect(counted()).toEqual(known.map((calls, index) => calls + Number(isWithin(index))));
        expect(monitor.state.bytes).toBeGreaterThan(0);
      }
    }),
    { numRuns: 300 },
  );
});

describe("memory", () => {
  test("stays bounded however many templates there are, and all calls are still counted", () => {
    const monitor = monitorAt(NOON, { maxBytes: 2_000_000, recent: 10 });
    for (let index = 0; index < 20_000; index++) {
      monitor.record(call(NOON - (index % 1_000) * 40, { templateId: `t${index % 5_000}` }));
    }

    expect(monitor.state.bytes).toBeLessThanOrEqual(2_000_000);
    expect(monitor.state.forgotten).toBeGreaterThan(0);
    expect(monitor.figures({ hours: 24 }).calls).toBe(20_000);
  });

  test("forgets first what was not called for longest", () => {
    const monitor = monitorAt(NOON, { maxBytes: 100_000, recent: 0 });
    for (let index = 0; index < 100; index++) {
      monitor.record(call(NOON, { model: "m", templateId: `t${index}` }));
      monitor.record(call(NOON, { model: "m", templateId: "in use" }));
    }
    const kept = monitor.scopes().map(({ templateId }) => templateId);

    expect(kept).toContain("in use");
    expect(kept).toContain("t99");
    expect(kept).not.toContain("t0");
    expect(monitor.figures({ hours: 1 }, { model: "m", templateId: "in use" }).calls).toBe(100);
  });

  test("is given back by spans that a newer one replaced", () => {
    let now = NOON;
    const monitor = new Monitor({ now: () => now, recent: 0 });
    const held = () => {
      for (let minute = 0; minute < 60; minute++, now += MINUTE) monitor.record(call(now));
      return monitor.state.bytes;
    };
    const first = held();
    for (let hour = 0; hour < 100 * 24; hour++, now += HOUR) monitor.record(call(now));

    expect(held()).toBeLessThan(3 * first);
  });

  test("holds the newest requests, oldest first, without their text", () => {
    const monitor = monitorAt(NOON, { recent: 3 });
    for (const id of ["a", "b", "c", "d", "e"]) {
      monitor.record(call(NOON, { id, text: { prompt: "secret", reply: "secret" } }));
    }

    expect(monitor.recent().map(({ id }) => id)).toEqual(["c", "d", "e"]);
    expect(JSON.stringify(monitor.recent())).not.toContain("secret");
  });
});

test("what cannot be true is refused and counted", () => {
  const monitor = monitorAt(NOON);

  expect(monitor.record(call(NOON, { totalMs: Number.NaN }))).toBe(false);
  expect(monitor.state.refused).toBe(1);
  expect(monitor.figures({ days: 1 }).calls).toBe(0);
});

test("a bound that is no whole number is refused", () => {
  expect(() => new Monitor({ maxBytes: -1 })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("listeners hear what was taken in until they leave", () => {
  const monitor = monitorAt(NOON);
  const heard: string[] = [];
  const stop = monitor.subscribe(({ id }) => heard.push(id));
  monitor.record(call(NOON, { id: "first" }));
  monitor.record(call(NOON, { id: "refused", totalMs: -1 }));
  stop();
  monitor.record(call(NOON, { id: "late" }));

  expect(heard).toEqual(["first"]);
});

test("a listener that throws keeps nothing from the others, nor the rest of a stored log from being read", async () => {
  const store = memoryStore({ now: () => NOON });
  for (const age of [2, 1, 0]) await store.append(call(NOON - age));
  const monitor = monitorAt(NOON);
  const heard: string[] = [];
  monitor.subscribe(() => {
    throw new TypeError("a listener's own");
  });
  monitor.subscribe(({ id }) => heard.push(id));
  const stop = await monitor.follow(store, { days: 1 });

  expect(heard).toHaveLength(3);
  expect(monitor.figures({ minutes: 1 }).calls).toBe(3);
  stop();
  await store.close();
});

test("a followed store tells what it held and what comes", async () => {
  const store = memoryStore({ now: () => NOON });
  await store.append(call(NOON - 2 * DAY));
  await store.append(call(NOON - 9 * DAY));
  const monitor = monitorAt(NOON);
  const stop = await monitor.follow(store, { days: 7 });
  await store.append(call(NOON));
  stop();
  await store.append(call(NOON));

  expect(monitor.figures({ days: 31 }).calls).toBe(2);
  await store.close();
});

test("spans that a clock put right has not reached yet are not among the last", () => {
  let now = NOON;
  const monitor = new Monitor({ now: () => now });
  now += 2 * 86_400_000 + 420_000;
  monitor.record(call(now));
  now = NOON;
  monitor.record(call(now));
  expect(monitor.figures({ minutes: 5 }).calls).toBe(1);
});

test.each([{}, { weeks: 1 }, { minutes: 0 }, { hours: Number.NaN }, { minutes: 1, hours: 1 }])(
  "the time %j is refused",
  (last) => {
    expect(() => new Monitor().figures(last as never)).toThrow(
      "minutes (up to 60), hours (48) and days (31)",
    );
  },
);

test("a template without its model is refused, not taken for all calls", () => {
  const monitor = monitorAt(NOON);
  monitor.record(call(NOON, { model: "small", templateId: "a" }));
  expect(() => monitor.figures({ hours: 1 }, { templateId: "a" })).toThrow("has no model");
  expect(() => monitor.spans({ hours: 1 }, { templateId: "a" })).toThrow("has no model");
});
