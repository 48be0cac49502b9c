import { expect, test, vi } from "vitest";
import { type Alert, Alerts, Monitor } from "../../src/monitor/index.js";
import { call, lognormal, NOON, seeded } from "./calls.js";

const SECOND = 1_000;

/** A monitor that has seen ordinary calls, one a second, and a clock that goes on with each further one. */
function watched() {
  let now = NOON;
  const random = seeded(11);
  const monitor = new Monitor({ now: () => now });
  const ordinary = () => {
    now += SECOND;
    monitor.record(call(now, { totalMs: lognormal(random, 1_000, 0.2), outputMs: 700 }));
  };
  const slow = (factor: number) => {
    now += SECOND;
    monitor.record(call(now, { totalMs: factor * 1_000, outputMs: factor * 700 }));
  };
  for (let index = 0; index < 200; index++) ordinary();
  return { monitor, ordinary, slow, clock: () => now, wait: (ms: number) => (now += ms) };
}

test("a spike is told once to every listener, and its end", () => {
  const { monitor, slow, ordinary, clock, wait } = watched();
  const alerts = new Alerts({ monitor, now: clock, quietMs: 60 * SECOND });
  const heard: Alert[] = [];
  alerts.subscribe((alert) => heard.push(alert));
  slow(9);
  alerts.look();
  slow(9);
  alerts.look();

  expect(heard).toHaveLength(1);
  expect(heard[0]).toMatchObject({ type: "raised", anomaly: { kind: "spike", direction: "worse" } });
  expect(alerts.open).toHaveLength(1);
  wait(90 * SECOND);
  ordinary();
  alerts.look();
  expect(heard.map(({ type }) => type)).toEqual(["raised", "recovered"]);
  expect(alerts.open).toEqual([]);
  alerts.close();
});

test("ordinary calls raise nothing, and neither does what happened before the watch", () => {
  const { monitor, slow, ordinary, clock } = watched();
  slow(9);
  ordinary();
  const alerts = new Alerts({ monitor, now: clock });
  for (let index = 0; index < 20; index++) ordinary();

  expect(alerts.look()).toEqual([]);
  alerts.close();
});

test("a spike is told by itself, right after the call that showed it", async () => {
  const monitor = new Monitor();
  for (let index = 200; index > 0; index--) {
    monitor.record(call(Date.now() - 1_000 * index, { totalMs: 1_000 + (index % 7) * 30 }));
  }
  const alerts = new Alerts({ monitor });
  const heard: Alert[] = [];
  alerts.subscribe((alert) => heard.push(alert));
  monitor.record(call(Date.now(), { totalMs: 9_000 }));

  expect(heard).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toHaveLength(1);
  alerts.close();
});

test("a stream of events brings alerts until its reader leaves or the signal aborts", async () => {
  const { monitor, slow, clock } = watched();
  const alerts = new Alerts({ monitor, now: clock });
  const leaving = new AbortController();
  const read: Alert[] = [];
  const reading = (async () => {
    for await (const alert of alerts.events(leaving.signal)) read.push(alert);
  })();
  slow(9);
  alerts.look();
  await vi.waitFor(() => expect(read).toHaveLength(1), 10_000);
  leaving.abort();

  await reading;
  alerts.close();
});

/** The default, and a short one. */
const QUIET_TIMES = [undefined, 180 * SECOND];

test.each(QUIET_TIMES)("a reload storm is not over while it lasts (%s)", (quietMs) => {
  let now = NOON;
  const monitor = new Monitor({ now: () => now });
  const alerts = new Alerts({ monitor, now: () => now, quietMs });
  const told: string[] = [];
  alerts.subscribe(({ type, anomaly }) => told.push(`${type} ${anomaly.kind}`));
  const calls = (minutes: number, loadMs: number) => {
    for (let index = 0; index < 2 * minutes; index++) {
      now += 30 * SECOND;
      monitor.record(call(now, { loadMs, totalMs: 1_000 + loadMs, decision: null }));
      alerts.look();
    }
  };
  calls(60, 3_000);
  expect(told.filter((text) => text.endsWith("reloadStorm"))).toEqual(["raised reloadStorm"]);
  calls(30, 20);
  expect(told.filter((text) => text.endsWith("reloadStorm"))).toEqual([
    "raised reloadStorm",
    "recovered reloadStorm",
  ]);
  alerts.close();
});

test.each(QUIET_TIMES)("a machine that stays busy is not told as quiet again (%s)", (quietMs) => {
  let now = NOON;
  const monitor = new Monitor({ now: () => now });
  const alerts = new Alerts({ monitor, now: () => now, quietMs });
  const told: string[] = [];
  alerts.subscribe(({ type, anomaly }) => told.push(`${type} ${anomaly.metric}`));
  const minutes = (count: number, cpuPercent: number) => {
    for (let minute = 0; minute < count; minute++) {
      now += 60 * SECOND;
      const host = { cpuPercent: cpuPercent + (minute % 3), memoryUsedBytes: 4e9, memoryTotalBytes: 16e9 };
      monitor.record(call(now, { host }));
      alerts.look();
    }
  };
  minutes(60, 20);
  minutes(30, 90);
  expect(told).toEqual(["raised cpuPercent"]);
  minutes(30, 20);
  expect(told).toEqual(["raised cpuPercent", "recovered cpuPercent"]);
  alerts.close();
});

test("a stream of events ends with the alerts", async () => {
  const { monitor } = watched();
  const alerts = new Alerts({ monitor });
  const next = alerts.events().next();
  alerts.close();

  expect(await next).toEqual({ done: true, value: undefined });
  expect(await alerts.events().next()).toEqual({ done: true, value: undefined });
});

test("a listener that throws is said once, and the others hear", () => {
  const { monitor, slow, clock } = watched();
  const warnings: string[] = [];
  const logger = { warn: (text: string) => void warnings.push(text) };
  const alerts = new Alerts({ monitor, now: clock, logger });
  const heard: Alert[] = [];
  alerts.subscribe(() => {
    throw new TypeError("with private words");
  });
  alerts.subscribe((alert) => heard.push(alert));
  slow(9);
  alerts.look();

  expect(heard).toHaveLength(1);
  expect(warnings).toEqual(["monitor: an alert was not told (TypeError)"]);
  alerts.close();
});

test("a logger that throws as well ends nothing", () => {
  const { monitor, slow, clock } = watched();
  const fail = () => {
    throw new Error("full");
  };
  const alerts = new Alerts({ monitor, now: clock, logger: { warn: fail, debug: fail } });
  const heard: Alert[] = [];
  alerts.subscribe(fail);
  alerts.subscribe(fail);
  alerts.subscribe((alert) => heard.push(alert));
  slow(9);
  alerts.look();

  expect(heard).toHaveLength(1);
  alerts.close();
});
