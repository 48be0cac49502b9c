import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { QueueError, type Turn, type TurnOptions, Turns } from "../../src/server/turns.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A model that is loaded with one window at a time; loading takes `loadMs`. */
class Runner {
  window: number | null = null;
  loads = 0;
  readonly running: number[] = [];
  /** Calls by name in the order they went out. */
  readonly order: string[] = [];
  readonly waiting: number[] = [];
  readonly turns: Turns;

  constructor(
    readonly loadMs: number,
    options: Partial<TurnOptions> = {},
  ) {
    this.turns = new Turns(
      { maxWaiting: 512, maxWaitMs: 3_600_000, ...options },
      () => performance.now(),
      (waiting) => this.waiting.push(waiting),
    );
  }

  /** A call that runs for so long; resolves with the time it waited. */
  async call(
    name: string,
    window: number,
    runMs: number,
    about: { client?: string; templateId?: string; signal?: AbortSignal } = {},
  ): Promise<number> {
    const asked = performance.now();
    const turn: Turn = this.turns.turn(about.client ?? "", about.signal);
    const wait = turn.ask({
      slotId: "slot",
      templateId: about.templateId ?? null,
      wouldReload: () => this.window !== null && this.window !== window,
    });
    if (wait) await wait;
    const waited = performance.now() - asked;
    this.order.push(name);
    const reloads = this.window !== window;
    if (reloads) {
      this.window = window;
      this.loads++;
      expect(this.running, "a call went out that breaks into others").toEqual([]);
    }
    this.running.push(window);
    if (reloads) await pause(this.loadMs);
    expect(this.window).toBe(window);
    turn.answered();
    await pause(runMs);
    this.running.splice(this.running.indexOf(window), 1);
    turn.end(reloads ? this.loadMs : null);
    return waited;
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("turns", () => {
  test("calls that reload nothing do not wait", () => {
    const { turns } = new Runner(1_000);
    const asking = { slotId: "slot", templateId: null, wouldReload: () => false };
    expect([1, 2, 3].map(() => turns.turn("", undefined).ask(asking))).toEqual([null, null, null]);
  });

  test("a call that would reload waits until nobody uses the model, and others go on meanwhile", async () => {
    const runner = new Runner(1_000);
    const calls = [runner.call("a", 2_048, 2_000)];
    await vi.advanceTimersByTimeAsync(100);
    calls.push(runner.call("b", 8_192, 100), runner.call("c", 2_048, 100));
    await vi.advanceTimersByTimeAsync(200);
    expect(runner.order).toEqual(["a", "c"]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(runner.order).toEqual(["a", "c", "b"]);
    await Promise.all(calls);
  });

  test("two clients that want other windows share the model without reloading it for each call", async () => {
    const runner = new Runner(3_000);
    const end = performance.now() + 120_000;
    const client = async (name: string, window: number) => {
      let calls = 0;
      for (; performance.now() < end; calls++) await runner.call(name, window, 500, { client: name });
      return calls;
    };
    const clients = [client("a", 2_048), client("b", 8_192)];
    await vi.advanceTimersByTimeAsync(200_000);
    const [a = 0, b = 0] = await Promise.all(clients);
    // Loads take a fifth of the time, where one for each call would take six sevenths.
    expect(runner.loads).toBeLessThanOrEqual(10);
    expect(a + b).toBeGreaterThan(150);
    expect(Math.min(a, b) / Math.max(a, b)).toBeGreaterThan(0.6);
  });

  test("the client that was served longest ago is next", async () => {
    const runner = new Runner(10);
    const calls = [runner.call("first", 1, 100, { client: "a" })];
    await vi.advanceTimersByTimeAsync(20);
    ["a1", "a2", "a3"].forEach((name, index) => {
      calls.push(runner.call(name, 10 + index, 100, { client: "a" }));
    });
    calls.push(runner.call("b1", 20, 100, { client: "b" }), runner.call("c1", 30, 100, { client: "c" }));
    await vi.advanceTimersByTimeAsync(5_000);
    await Promise.all(calls);
    expect(runner.order).toEqual(["first", "a1", "b1", "c1", "a2", "a3"]);
  });

  test("calls of one template that wait leave side by side", async () => {
    const runner = new Runner(10);
    const calls = [runner.call("first", 1, 100)];
    await vi.advanceTimersByTimeAsync(20);
    for (const [name, templateId] of ["x", "y", "x", "z", "y"].map((id, i) => [`${id}${i}`, id] as const)) {
      calls.push(runner.call(name, 2, 100, { templateId }));
    }
    await vi.advanceTimersByTimeAsync(2_000);
    await Promise.all(calls);
    expect(runner.order).toEqual(["first", "x0", "x2", "y1", "y4", "z3"]);
    expect(runner.loads).toBe(2);
  });

  test("a full queue refuses at once and says when to come again", async () => {
    const runner = new Runner(1_000, { maxWaiting: 2 });
    const calls = [runner.call("a", 1, 10_000)];
    await vi.advanceTimersByTimeAsync(10);
    calls.push(runner.call("b", 2, 10), runner.call("c", 3, 10));
    await expect(runner.call("d", 4, 10)).rejects.toMatchObject({ code: "QUEUE_FULL", retryAfterSeconds: 5 });
    await vi.advanceTimersByTimeAsync(60_000);
    await Promise.all(calls);
    expect(runner.waiting.at(-1)).toBe(0);
    expect(Math.max(...runner.waiting)).toBe(2);
  });

  test("a call that waited too long is refused, and those behind it go on", async () => {
    const runner = new Runner(10, { maxWaitMs: 1_000 });
    const calls = [runner.call("a", 1, 5_000)];
    await vi.advanceTimersByTimeAsync(20);
    const refused = expect(runner.call("b", 2, 10)).rejects.toBeInstanceOf(QueueError);
    await vi.advanceTimersByTimeAsync(900);
    calls.push(runner.call("c", 1, 10));
    await vi.advanceTimersByTimeAsync(200);
    await refused;
    await vi.advanceTimersByTimeAsync(6_000);
    await Promise.all(calls);
    expect(runner.order).toEqual(["a", "c"]);
  });

  test("a client that leaves while it waits is forgotten", async () => {
    const runner = new Runner(10);
    const calls = [runner.call("a", 1, 1_000)];
    await vi.advanceTimersByTimeAsync(20);
    const controller = new AbortController();
    const left = expect(runner.call("b", 2, 10, { signal: controller.signal })).rejects.toThrow("left");
    controller.abort(new Error("left"));
    await left;
    await vi.advanceTimersByTimeAsync(2_000);
    await Promise.all(calls);
    expect(runner.order).toEqual(["a"]);
    expect(runner.waiting).toEqual([1, 0]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("models do not wait for each other", async () => {
    const { turns } = new Runner(10);
    const asking = { templateId: null, wouldReload: () => true };
    expect(turns.turn("", undefined).ask({ ...asking, slotId: "a" })).toBeNull();
    expect(turns.turn("", undefined).ask({ ...asking, slotId: "b" })).toBeNull();
  });

  test("whatever comes, no call breaks into others of another window, and every call gets its turn", async () => {
    const arrival = fc.record({
      at: fc.integer({ min: 0, max: 20_000 }),
      window: fc.constantFrom(1, 2, 3),
      runMs: fc.integer({ min: 0, max: 3_000 }),
      client: fc.constantFrom("a", "b", "c"),
      templateId: fc.constantFrom("x", "y"),
      leavesAfter: fc.option(fc.integer({ min: 0, max: 5_000 }), { freq: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(arrival, { maxLength: 40 }), async (arrivals) => {
        const runner = new Runner(500);
        const outcomes = arrivals.map(async ({ at, window, runMs, leavesAfter, ...about }, index) => {
          await pause(at);
          const controller = new AbortController();
          if (leavesAfter !== null) setTimeout(() => controller.abort("left"), leavesAfter);
          const call = runner.call(`${index}`, window, runMs, { ...about, signal: controller.signal });
          return call.catch((error: unknown) => {
            if (error !== "left") throw error;
          });
        });
        await vi.advanceTimersByTimeAsync(400_000);
        await Promise.all(outcomes);
        expect(runner.running).toEqual([]);
        expect(runner.waiting.at(-1) ?? 0).toBe(0);
        expect(vi.getTimerCount()).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
