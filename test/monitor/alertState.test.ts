import fc from "fast-check";
import { expect, test } from "vitest";
import type { Anomaly } from "../../src/analysis/types.js";
import { type AlertState, alertStep, NO_ALERTS } from "../../src/monitor/alertState.js";

const MINUTE = 60_000;
const QUIET = 15 * MINUTE;
const iso = (ms: number) => new Date(ms).toISOString();

function anomaly(seenAt: number, fields: Partial<Anomaly> = {}): Anomaly {
  return {
    key: "spike qwen3:8b",
    kind: "spike",
    metric: "responseMs",
    group: { serverId: "s", model: "qwen3:8b", templateId: null },
    at: iso(seenAt),
    noticedAt: iso(seenAt),
    requestId: null,
    expected: 100,
    found: 900,
    ratio: 9,
    direction: "worse",
    score: 12,
    cause: null,
    text: "A call took 9 times as long as usual.",
    ...fields,
  };
}

function step(state: AlertState, found: readonly Anomaly[], now: number) {
  return alertStep(state, found, now, QUIET);
}

test("a spike is told once, its repeats are counted, and it is over after the quiet time", () => {
  const first = step(NO_ALERTS, [anomaly(0)], 0);
  const second = step(first.state, [anomaly(MINUTE)], MINUTE);
  const early = step(second.state, [], QUIET);
  const end = step(early.state, [], QUIET + MINUTE);

  expect(first.alerts.map(({ type }) => type)).toEqual(["raised"]);
  expect(second.alerts).toEqual([]);
  expect(early.alerts).toEqual([]);
  expect(end.alerts).toMatchObject([{ type: "recovered", repeats: 1 }]);
});

test("nobody is called for one call that took less than twice as long as usual", () => {
  const slight = step(NO_ALERTS, [anomaly(0, { found: 190, ratio: 1.9 })], 0);
  const change = anomaly(0, { key: "change", kind: "change", found: 150, ratio: 1.5 });
  expect(slight.alerts).toEqual([]);
  expect(step(slight.state, [anomaly(1, { found: 210, ratio: 2.1 })], 1).alerts).toHaveLength(1);
  expect(step(NO_ALERTS, [change], 0).alerts).toHaveLength(1);
});

test("a change stays open until the level is back", () => {
  const change = anomaly(0, { key: "change", kind: "change" });
  const back = anomaly(3 * QUIET, { key: "change back", kind: "change", direction: "better" });
  const raised = step(NO_ALERTS, [change], 0);
  const later = step(raised.state, [], 2 * QUIET);
  const over = step(later.state, [back], 3 * QUIET);

  expect(later.alerts).toEqual([]);
  expect(over.alerts).toMatchObject([{ type: "recovered", anomaly: { key: "change" } }]);
  expect(over.state.open.size).toBe(0);
});

test("a change that comes back within the quiet time is told after it, unless it is over by then", () => {
  const change = (at: number) => anomaly(at, { key: "change", kind: "change" });
  const back = (at: number) => anomaly(at, { key: "back", kind: "change", direction: "better" });
  const raised = step(NO_ALERTS, [change(0)], 0);
  const over = step(raised.state, [back(MINUTE)], MINUTE);
  const again = step(over.state, [change(2 * MINUTE)], 2 * MINUTE);
  expect(again.alerts).toEqual([]);

  expect(step(again.state, [], QUIET).alerts).toMatchObject([{ type: "raised", anomaly: { key: "change" } }]);
  const overAgain = step(again.state, [back(3 * MINUTE)], 3 * MINUTE);
  expect(overAgain.alerts).toEqual([]);
  expect(step(overAgain.state, [], QUIET).alerts).toEqual([]);
});

test("what was told while the clock ran ahead is over when it is put right", () => {
  const ahead = 400 * 24 * 60 * MINUTE;
  const raised = step(NO_ALERTS, [anomaly(ahead)], ahead);
  const back = step(raised.state, [], MINUTE);
  expect(back.alerts).toMatchObject([{ type: "recovered" }]);
  expect(step(back.state, [anomaly(2 * MINUTE)], 2 * MINUTE).alerts).toMatchObject([{ type: "raised" }]);
});

test("a better level of another group ends nothing", () => {
  const change = anomaly(0, { key: "change", kind: "change" });
  const group = { serverId: "s", model: "other", templateId: null };
  const other = anomaly(1, { key: "x", kind: "change", direction: "better", group });
  const raised = step(NO_ALERTS, [change], 0);

  expect(step(raised.state, [other], MINUTE).alerts).toEqual([]);
});

test("a level that has stayed for a day is the usual one", () => {
  const raised = step(NO_ALERTS, [anomaly(0, { kind: "memoryGrowth" })], 0);

  expect(step(raised.state, [], 24 * 60 * MINUTE - 1).alerts).toEqual([]);
  expect(step(raised.state, [], 24 * 60 * MINUTE).alerts).toMatchObject([{ type: "recovered" }]);
});

test("a change for the better alone is no alert", () => {
  expect(step(NO_ALERTS, [anomaly(0, { direction: "better" })], 0).alerts).toEqual([]);
});

test("however findings come and go, a key is told at most once in a quiet time, and ends once for each beginning", () => {
  const keys = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 3 });
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: QUIET }), keys), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (list) => {
      let state = NO_ALERTS;
      let now = 0;
      const told = new Map<string, { readonly type: string; readonly at: number }[]>();
      for (const [pause, found] of list) {
        now += pause;
        const next = step(
          state,
          found.map((key) => anomaly(now, { key })),
          now,
        );
        state = next.state;
        for (const { type, anomaly: about } of next.alerts) {
          told.set(about.key, [...(told.get(about.key) ?? []), { type, at: now }]);
        }
      }
      for (const events of told.values()) {
        expect(events.map(({ type }) => type)).toEqual(
          events.map((_, index) => (index % 2 === 0 ? "raised" : "recovered")),
        );
        const raised = events.filter(({ type }) => type === "raised").map(({ at }) => at);
        for (const [index, at] of raised.slice(1).entries()) {
          expect(at - raised[index]!).toBeGreaterThanOrEqual(QUIET);
        }
      }
    }),
  );
});
