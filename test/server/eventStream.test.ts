import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Anomaly } from "../../src/analysis/types.js";
import type { Alert } from "../../src/monitor/index.js";
import { Activity } from "../../src/server/activity.js";
import { eventStream } from "../../src/server/eventStream.js";
import { call, lognormal, seeded } from "../monitor/calls.js";
import { anomaly } from "./dashboard/calls.js";
import { eventsOf, pair } from "./support.js";

test("an anomaly in the calls of a server is told in its stream once, and to those who come later in their snapshot", async () => {
  await using servers = await pair();
  const random = seeded(5);
  const append = async (totalMs: number) =>
    servers.store.append(call(Date.now(), { model: "tiny", templateId: "support", totalMs }));
  for (let index = 0; index < 80; index++) await append(lognormal(random, 1_000, 0.2));

  const events = eventsOf(await servers.app.request("/optimization/events"));
  expect((await events.next()).value).toMatchObject({ type: "snapshot", alerts: [] });
  for (let times = 0; times < 3; times++) await append(60_000);
  // They are judged beside the calls. The next call is told after them.
  await setImmediate();
  await servers.post("/api/chat", { model: "tiny", messages: [], stream: false });
  const told: Alert[] = [];
  for await (const event of events) {
    if (event.type !== "alert") break;
    told.push(event.alert);
  }
  expect(told[0]).toMatchObject({
    type: "raised",
    anomaly: { kind: "spike", direction: "worse", group: { model: "tiny" } },
  });
  const keys = told.map(({ anomaly: { key } }) => key);
  expect(keys).toEqual([...new Set(keys)]);

  const later = eventsOf(await servers.app.request("/optimization/events"));
  const { value: snapshot } = await later.next();
  expect(snapshot.alerts.map(({ key }: Anomaly) => key)).toEqual(keys);
  await later.return();
});

test("who leaves is told of no more alerts", async () => {
  const listeners = new Set<(alert: Alert) => void>();
  const alerts = {
    open: [],
    subscribe: (listener: (alert: Alert) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const events = eventsOf(eventStream(new Activity(Date.now, 8), undefined, alerts));
  await events.next();
  const alert: Alert = { type: "raised", at: "2026-11-21T12:00:00.000Z", anomaly: anomaly("a"), repeats: 0 };
  for (const listener of listeners) listener(alert);
  expect((await events.next()).value).toEqual({ type: "alert", alert });
  expect(listeners.size).toBe(1);

  await events.return();
  expect(listeners.size).toBe(0);
});

test("who asks for the head alone leaves no stream behind", async () => {
  await using servers = await pair();
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  for (let times = 0; times < 20; times++) {
    const reply = await servers.app.request("/optimization/events", { method: "HEAD" });
    expect(reply.headers.get("content-type")).toMatch(/^text\/event-stream/);
  }
  expect(timers()).toBeLessThan(before + 10);
});
