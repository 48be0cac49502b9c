import { describe, expect, test } from "vitest";
import type { Anomaly } from "../../../src/analysis/types.js";
import { Activity } from "../../../src/server/activity.js";
import { LiveState } from "../../../src/server/dashboard/page/liveState.js";
import { anomaly, finishedCall, outcome, runningCall } from "./calls.js";

const snapshot = (facts = {}) => ({
  type: "snapshot" as const,
  at: new Date().toISOString(),
  running: [],
  recent: [],
  queue: { waiting: 0, limit: 8 },
  alerts: [],
  ...facts,
});

test("it follows what the server's activity tells", () => {
  const activity = new Activity(() => 5_000, 8);
  const live = new LiveState();
  activity.subscribe((event) => live.apply(event));
  const call = activity.begin({ model: "tiny", surface: "ollama", path: "/api/chat" });
  call.change({ phase: "answering", numCtx: 2048 });
  activity.queueChanged(3);

  expect([...live.running.values()]).toEqual(activity.running());
  expect(live.queue).toEqual({ waiting: 3, limit: 8 });

  call.end(outcome({ reloaded: true }));

  expect(live.running.size).toBe(0);
  expect(live.ended()).toEqual(activity.recent(10));
});

test("calls of a second snapshot count once, and calls that ended unseen run no more", () => {
  const live = new LiveState();
  const seen = finishedCall();
  const missed = finishedCall();
  live.apply(snapshot({ running: [runningCall()], recent: [seen] }));
  live.apply(snapshot({ recent: [missed, seen] }));

  expect(live.running.size).toBe(0);
  expect(live.ended()).toEqual([missed, seen]);
  expect(live.series.total(1e15, 1e15).calls).toBe(2);
});

test("it keeps the latest 500 ended calls, and counts all", () => {
  const live = new LiveState();
  const calls = Array.from({ length: 600 }, () => finishedCall());
  for (const call of calls) live.apply({ type: "ended", call });

  expect(live.ended()).toEqual(calls.slice(100).reverse());
  expect(live.ended(2)).toEqual([calls[599], calls[598]]);
  expect(live.series.total(1e15, 1e15).calls).toBe(600);
});

test("ages are told by the server's clock", () => {
  const live = new LiveState();
  live.apply(snapshot({ at: new Date(Date.now() + 3_600_000).toISOString() }));

  expect(live.now() - Date.now()).toBeGreaterThan(3_590_000);
});

test("a late snapshot makes no call younger than it is", () => {
  const live = new LiveState();
  live.apply(snapshot({ at: new Date(Date.now() - 5_000).toISOString() }));
  live.apply({ type: "started", call: runningCall({ startedAt: new Date().toISOString() }) });

  expect(Math.abs(live.now() - Date.now())).toBeLessThan(1_000);
});

test("an event of a later version is left out", () => {
  const live = new LiveState();
  live.apply({ type: "unheard-of" } as never);

  expect(live.ended()).toEqual([]);
});

describe("alerts", () => {
  const told = (type: "raised" | "recovered", found: Anomaly, at = "2026-11-21T12:00:00.000Z") => ({
    type: "alert" as const,
    alert: { type, at, anomaly: found, repeats: 0 },
  });

  test("are there once, however often they are told", () => {
    const live = new LiveState();
    live.apply(snapshot({ alerts: [anomaly("a")] }));
    live.apply(told("raised", anomaly("a", "told otherwise")));
    live.apply(snapshot({ alerts: [anomaly("a", "and otherwise again")] }));

    expect([...live.alerts.values()]).toEqual([
      { key: "a", text: "a is slow", since: anomaly("a").noticedAt, overAt: null },
    ]);
  });

  test("are over when that is told, or when a later snapshot has them no more", () => {
    const live = new LiveState();
    live.apply(told("raised", anomaly("a")));
    live.apply(told("raised", anomaly("b")));
    live.apply(told("recovered", anomaly("a"), "2026-11-21T13:00:00.000Z"));
    live.apply(told("recovered", anomaly("a"), "2026-11-21T14:00:00.000Z"));
    live.apply(snapshot({ at: "2026-11-21T15:00:00.000Z" }));

    expect([...live.alerts.values()].map(({ key, overAt }) => [key, overAt])).toEqual([
      ["a", "2026-11-21T13:00:00.000Z"],
      ["b", "2026-11-21T15:00:00.000Z"],
    ]);
  });

  test("that come back are new, and the newest fifty are kept", () => {
    const live = new LiveState();
    for (let index = 0; index < 60; index++) live.apply(told("raised", anomaly(`${index}`)));
    live.apply(told("recovered", anomaly("30")));
    live.apply(told("raised", anomaly("30"), "2026-11-21T16:00:00.000Z"));
    live.apply(told("recovered", anomaly("nobody was told of")));

    expect(live.alerts.size).toBe(50);
    expect([...live.alerts.values()].at(-1)).toMatchObject({
      key: "30",
      since: "2026-11-21T16:00:00.000Z",
      overAt: null,
    });
    expect(live.alerts.has("9")).toBe(false);
  });
});
