import { expect, test } from "vitest";
import { Activity } from "../../../src/server/activity.js";
import { LiveState } from "../../../src/server/dashboard/page/liveState.js";
import { finishedCall, outcome, runningCall } from "./calls.js";

const snapshot = (facts = {}) => ({
  type: "snapshot" as const,
  at: new Date().toISOString(),
  running: [],
  recent: [],
  queue: { waiting: 0, limit: 8 },
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
