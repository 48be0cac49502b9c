import { describe, expect, test } from "vitest";
import { Activity, type ActivityEvent, UNTOLD } from "../../src/server/activity.js";

const call = { model: "tiny", surface: "ollama", path: "/api/chat" } as const;

function watched(kept = 500) {
  let time = Date.UTC(2026, 0, 1);
  const activity = new Activity(() => time, 8, kept);
  const events: ActivityEvent[] = [];
  activity.subscribe((event) => events.push(event));
  return { activity, events, pass: (ms: number) => (time += ms) };
}

describe("what is running and what has ended", () => {
  test("a call is seen from its beginning to its end, with what became known of it", () => {
    const { activity, events, pass } = watched();
    const tracked = activity.begin(call);
    expect(activity.running()).toMatchObject([{ ...call, phase: "waiting", numCtx: null }]);
    tracked.change({ phase: "answering", numCtx: 4096, action: "load" });
    pass(250);
    tracked.end({ ...UNTOLD, status: 200, outputTokens: 7 });
    expect(activity.running()).toEqual([]);
    expect(activity.recent(10)).toMatchObject([
      { ...call, startedAt: "2026-01-01T00:00:00.000Z", numCtx: 4096, durationMs: 250, outputTokens: 7 },
    ]);
    expect(events.map(({ type }) => type)).toEqual(["started", "changed", "ended"]);
  });

  test("what comes after a call's end changes nothing", () => {
    const { activity, events } = watched();
    const tracked = activity.begin(call);
    tracked.end({ ...UNTOLD, status: 200 });
    tracked.end({ ...UNTOLD, status: 500 });
    tracked.change({ numCtx: 1 });
    expect(activity.recent(10).map(({ status }) => status)).toEqual([200]);
    expect(activity.running()).toEqual([]);
    expect(events).toHaveLength(2);
  });

  test("the latest calls are kept, newest first, and no more of them than are asked for", () => {
    const { activity } = watched(3);
    for (const model of ["a", "b", "c", "d", "e"]) {
      activity.begin({ ...call, model }).end({ ...UNTOLD, status: 200 });
    }
    expect(activity.recent(10).map(({ model }) => model)).toEqual(["e", "d", "c"]);
    expect(activity.recent(2).map(({ model }) => model)).toEqual(["e", "d"]);
  });

  test("a listener that throws is dropped and harms nobody else", () => {
    const { activity, events } = watched();
    let calls = 0;
    activity.subscribe(() => {
      calls++;
      throw new Error("broken");
    });
    activity.queueChanged(3);
    activity.queueChanged(0);
    expect(calls).toBe(1);
    expect(events).toEqual([
      { type: "queue", queue: { waiting: 3, limit: 8 } },
      { type: "queue", queue: { waiting: 0, limit: 8 } },
    ]);
  });

  test("who ended a subscription hears nothing more", () => {
    const { activity } = watched();
    const heard: string[] = [];
    const leave = activity.subscribe(({ type }) => heard.push(type));
    activity.queueChanged(1);
    leave();
    activity.queueChanged(0);
    expect(heard).toEqual(["queue"]);
  });
});
