import { afterEach, describe, expect, test, vi } from "vitest";
import {
  Autopilot,
  type AutopilotOptions,
  appliedSteps,
  type CacheCounts,
  type Levers,
} from "../../src/autopilot/index.js";
import { Monitor } from "../../src/monitor/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { call } from "../monitor/calls.js";
import { temporaryFolders } from "../storage/temporaryFolder.js";
import { dial, NOW } from "./support.js";

const MINUTE = 60_000;
const folders = temporaryFolders();

afterEach(() => void vi.useRealTimers());

/** A program with a cache of few hits, whose clock and counters the test moves. */
function program(options: Partial<AutopilotOptions> = {}) {
  let now = NOW;
  const clock = () => now;
  const store = memoryStore({ now: clock });
  const counts: { -readonly [K in keyof CacheCounts]: CacheCounts[K] } = {
    hits: 5,
    misses: 95,
    size: 95,
    maxSize: 1_000,
  };
  const ttl = dial("cacheTtl", 3_600);
  const levers: Levers = { dials: () => [ttl], cacheCounts: async () => ({ ...counts }) };
  const monitor = new Monitor({ now: clock });
  const make = (more: Partial<AutopilotOptions> = {}) =>
    new Autopilot({ store, monitor, levers, now: clock, ...options, ...more });
  /** So many calls within a quarter of an hour, and what the cache counted of them. */
  const goOn = (hits: number, misses: number, totalMs = 1_000) => {
    for (let index = 0; index < hits + misses; index++) {
      now += (15 * MINUTE) / (hits + misses);
      monitor.record(call(now, { totalMs }));
    }
    counts.hits += hits;
    counts.misses += misses;
  };
  return { store, ttl, counts, monitor, levers, make, goOn, clock, wait: (ms: number) => (now += ms) };
}

describe("a run", () => {
  test("that is dry tells what it would do, and changes and stores nothing", async () => {
    const { make, ttl, store } = program();
    const { steps } = await make().run({ dryRun: true });

    expect(steps).toMatchObject([
      {
        type: "cacheTtl",
        state: "proposed",
        action: "Keep cached replies for 7200 s instead of 3600 s",
        reason: "Only 5 % of 100 lookups hit, less than 30 %",
        expected: "More lookups hit",
        to: 7_200,
        at: new Date(NOW).toISOString(),
      },
    ]);
    expect(ttl.value).toBeNull();
    expect([...store.list("settings")]).toEqual([]);
  });

  test("adds up the lookups of several runs where few calls come in five minutes", async () => {
    const { make, goOn, counts } = program();
    Object.assign(counts, { hits: 0, misses: 0 });
    const autopilot = make();
    const steps: string[] = [];
    for (let run = 0; run < 4; run++) {
      goOn(1, 9);
      steps.push(...(await autopilot.run()).steps.map(({ reason }) => reason));
    }
    expect(steps).toEqual(["Only 10 % of 30 lookups hit, less than 30 %"]);
  });

  test("applies a step, and keeps it when the figures show that it helped", async () => {
    const { make, ttl, goOn } = program();
    const autopilot = make();
    const first = await autopilot.run();
    expect(first.steps).toMatchObject([{ type: "cacheTtl", state: "open" }]);
    expect(ttl.value).toBe(7_200);
    goOn(40, 60);
    const second = await autopilot.run();

    expect(second.judged).toMatchObject([
      {
        state: "kept",
        verdict: "It helped: Hit rate 40.0 % after 5.0 %",
        after: { hitRate: 0.4, lookups: 100 },
      },
    ]);
    expect(second.steps).toEqual([]);
    expect(ttl.value).toBe(7_200);
  });

  test("takes a step back that did not help, and does not try it again", async () => {
    const { make, ttl, goOn } = program();
    const autopilot = make();
    await autopilot.run();
    goOn(5, 95);
    const { judged, steps } = await autopilot.run();

    expect(judged).toMatchObject([{ state: "reverted" }]);
    expect(steps).toEqual([]);
    expect(ttl.value).toBe(3_600);
    expect(appliedSteps(autopilot.steps())).toMatchObject([{ type: "cacheTtl", outcome: "reverted" }]);
  });

  test("takes a step back that made calls slower, whatever it brought", async () => {
    const { make, ttl, goOn } = program();
    const autopilot = make();
    goOn(0, 40);
    await autopilot.run();
    expect(ttl.value).toBe(7_200);
    goOn(90, 10, 3_000);
    goOn(90, 10, 3_000);
    goOn(90, 10, 3_000);
    const { judged } = await autopilot.run();

    expect(judged).toMatchObject([{ state: "reverted", verdict: expect.stringContaining("slower") }]);
    expect(ttl.value).toBe(3_600);
  });

  test("only proposes what it is not allowed to, and notes the same proposal once", async () => {
    const { make, ttl, goOn } = program({ allowed: ["release"] });
    const autopilot = make();
    for (const _ of [1, 2, 3]) {
      expect((await autopilot.run()).steps).toMatchObject([{ state: "proposed" }]);
      goOn(5, 95);
    }

    expect(ttl.value).toBeNull();
    expect(autopilot.steps()).toHaveLength(1);
  });

  test("releases memory, and notes what that said or that it failed", async () => {
    const { make, monitor, levers, clock } = program();
    const host = { cpuPercent: 10, memoryUsedBytes: 95, memoryTotalBytes: 100 };
    for (let index = 0; index < 40; index++) monitor.record(call(clock(), { host }));
    const failing = async (): Promise<string> => {
      throw new TypeError("with private words");
    };
    const told = make({ levers: { ...levers, release: async () => "12 expired replies left the cache" } });
    expect((await told.run()).steps[0]).toMatchObject({
      type: "release",
      state: "done",
      verdict: "12 expired replies left the cache",
    });
    const other = program();
    for (let index = 0; index < 40; index++) other.monitor.record(call(clock(), { host }));
    const failed = other.make({ levers: { ...other.levers, release: failing } });

    expect((await failed.run()).steps[0]).toMatchObject({ verdict: "It failed (TypeError)" });
  });

  test("at the same time as another waits for it", async () => {
    const { make } = program();
    const autopilot = make();
    const [first, second] = await Promise.all([autopilot.run(), autopilot.run()]);

    expect(first.steps).toHaveLength(1);
    expect(second.steps).toHaveLength(0);
  });
});

describe("after a restart", () => {
  test("what was kept is in force again, and what was open is judged", async () => {
    const { make, ttl, goOn } = program();
    await make().run();
    ttl.value = null;
    const restarted = make();
    expect((await restarted.run({ dryRun: true })).steps).toEqual([]);
    expect(ttl.value).toBe(7_200);
    goOn(60, 40);

    expect((await restarted.run()).judged).toMatchObject([{ state: "kept" }]);
  });

  test("what the store keeps itself, and a person has changed since, is left as it is", async () => {
    const { make, ttl, levers } = program();
    await make().run();
    ttl.value = 60;
    const stored = { ...ttl, isStored: true };
    await make({ levers: { ...levers, dials: () => [stored] } }).run({ dryRun: true });

    expect(stored.value).toBe(60);
  });

  test("a time to live that a person has set since holds", async () => {
    const { make, levers, counts, wait } = program();
    await make().run();
    Object.assign(counts, { hits: 0, misses: 0 });
    const shorter = dial("cacheTtl", 60);
    const restarted = make({ levers: { ...levers, dials: () => [shorter] } });
    wait(25 * 60 * MINUTE);

    expect((await restarted.run()).judged).toMatchObject([{ state: "reverted" }]);
    expect(shorter.value).toBeNull();
  });

  test("the loop is as it was switched", async () => {
    const { make } = program();
    expect(make().status()).toMatchObject({ enabled: false, changedAt: null, everyMs: 300_000 });
    await make().enable();
    expect(make().status()).toMatchObject({ enabled: true, changedAt: new Date(NOW).toISOString() });
    await make().disable();
    expect(make().status().enabled).toBe(false);
  });
});

describe("the loop", () => {
  test("runs every five minutes once it is switched on, and not before", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { make, ttl, wait } = program();
    const autopilot = make();
    const tick = async () => {
      wait(5 * MINUTE);
      await vi.advanceTimersByTimeAsync(5 * MINUTE);
      await autopilot.run({ dryRun: true });
    };
    await tick();
    expect(ttl.value).toBeNull();
    await autopilot.enable();
    await tick();

    expect(ttl.value).toBe(7_200);
    expect(autopilot.status()).toMatchObject({
      open: 1,
      lastRunAt: new Date(NOW + 10 * MINUTE).toISOString(),
    });
    await autopilot.close();
  });

  test("of one program runs where several share a store", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { make, store, wait } = program();
    const both = [make(), make()];
    await both[0]!.enable();
    wait(5 * MINUTE);
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    for (const autopilot of both) await autopilot.run({ dryRun: true });

    expect([...store.list("settings")].filter(({ id }) => id.startsWith("autopilot step"))).toHaveLength(1);
    for (const autopilot of both) await autopilot.close();
  });
});

describe("a step of an hour ago", () => {
  test("is not judged by calls before it", async () => {
    const keepAlive = dial("keepAlive", 300);
    const { make, monitor, clock, wait } = program({ levers: { dials: () => [keepAlive] } });
    const outcome = { retries: 0, reloaded: true, shifted: false, cut: false, error: null };
    const decision = { ...call(0).decision!, outcome };
    const calls = (count: number) => {
      for (let index = 0; index < count; index++) monitor.record(call(clock(), { decision }));
    };
    wait(10 * MINUTE);
    calls(40);
    wait(48 * MINUTE);
    const autopilot = make();
    expect((await autopilot.run()).steps).toMatchObject([{ type: "keepAlive", state: "open" }]);
    wait(61 * MINUTE);
    calls(1);

    expect((await autopilot.run()).judged).toEqual([]);
  });
});

test("a loop that another program switches off during a run stays off", async () => {
  const folder = await folders.make();
  const [own, other] = [1, 2].map(() => folders.open(folder, { pollMs: 60_000 }));
  const { monitor } = program();
  const levers: Levers = {};
  const autopilot = new Autopilot({ store: own!, monitor, levers });
  await autopilot.enable();
  await new Autopilot({ store: other!, monitor, levers }).disable();
  await autopilot.run();
  await own!.close();
  const reopened = folders.open(folder);
  await reopened.ready();
  expect(new Autopilot({ store: reopened, monitor, levers }).status()).toMatchObject({
    enabled: false,
    lastRunAt: expect.any(String),
  });
});

test("a loop whose clock ran ahead at its last run goes on when it is put right", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const { make, ttl, wait } = program();
  const autopilot = make({ allowed: [] });
  await autopilot.enable();
  wait(400 * 24 * 60 * MINUTE);
  await autopilot.run();
  wait(-400 * 24 * 60 * MINUTE);
  const { lastRunAt } = autopilot.status();
  await vi.advanceTimersByTimeAsync(5 * MINUTE);
  await autopilot.run({ dryRun: true });

  expect(autopilot.status().lastRunAt).not.toBe(lastRunAt);
  expect(ttl.value).toBeNull();
  await autopilot.close();
});

test("a store that cannot be read and a logger that throws end nothing", async () => {
  const { store, monitor } = program();
  store.ready = () => Promise.reject(new Error("away"));
  const warn = () => {
    throw new Error("full");
  };
  const autopilot = new Autopilot({ store, monitor, levers: {}, logger: { warn } });

  expect((await autopilot.run({ dryRun: true })).steps).toEqual([]);
  await autopilot.close();
});

test("a period that is none is refused", () => {
  const { make } = program();

  expect(() => make({ everyMs: 0 })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});
