import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inOrder, orderThatMatters } from "../../src/chatModel/affinityBatch.js";

const task = (name: string) => `You work on ${name}. `.repeat(20);

describe("orderThatMatters", () => {
  test("calls that begin alike stand together", () => {
    const prompts = ["a", "b", "c", "a", "b", "c"].map((name, i) => task(name) + i);
    expect(orderThatMatters(prompts)).toEqual([0, 3, 1, 4, 2, 5]);
  });

  test("also behind one long system prompt", () => {
    const prompts = ["a", "b", "a", "b"].map((name, i) => "Be a good clerk. ".repeat(50) + task(name) + i);
    expect(orderThatMatters(prompts)).toEqual([0, 2, 1, 3]);
  });

  test.each([
    ["nothing is shared", ["one", "two", "three"]],
    ["all share the same", [1, 2, 3, 4].map((i) => `${task("a")}${i}`)],
    ["there is one call", [task("a")]],
    ["there is none", []],
  ])("any order will do when %s", (_, prompts) => {
    expect(orderThatMatters(prompts)).toBeNull();
  });
});

describe("inOrder", () => {
  /** A server that works on `parallel` calls at once for 10 ms each; calls that come together overtake each other. */
  function server(parallel: number) {
    let time = 0;
    const arrived: Call[] = [];
    const waiting: Call[] = [];
    const working: Call[] = [];
    const begun: number[] = [];
    let most = 0;
    const run = async (): Promise<void> => {
      for (;;) {
        await new Promise(setImmediate);
        waiting.push(...arrived.splice(0).reverse());
        while (working.length < parallel && waiting.length > 0) {
          const call = waiting.shift()!;
          begun.push(call.index);
          working.push({ ...call, ends: time + 10 });
        }
        const call = working.shift();
        if (!call) return;
        time = call.ends;
        call.answer(call.index);
      }
    };
    interface Call {
      readonly index: number;
      readonly ends: number;
      answer(index: number): void;
    }
    return {
      begun,
      run,
      most: () => most,
      now: () => time,
      call: (index: number) =>
        new Promise<number>((answer) => {
          arrived.push({ index, ends: 0, answer });
          most = Math.max(most, arrived.length + waiting.length + working.length);
        }),
    };
  }
  const all = (count: number) => Array.from({ length: count }, (_, i) => i);
  const ten = () => 10;

  test("a server that works on one call at a time gets them in order, with one always waiting", async () => {
    const { call, begun, most, now, run } = server(1);
    const order = [2, 0, 1, 4, 3, 5];
    const results = inOrder(order, call, 99, ten, now);
    await run();
    expect(await results).toEqual([0, 1, 2, 3, 4, 5]);
    expect(begun.slice(2)).toEqual(order.slice(2));
    expect(most()).toBe(2);
  });

  test("a server that works on four at once soon has four and one waiting", async () => {
    const { call, most, now, run } = server(4);
    const results = inOrder(all(40), call, 99, ten, now);
    await run();
    expect(await results).toEqual(all(40));
    expect(most()).toBe(5);
    // Ten rounds of four would take 100 ms.
    expect(now()).toBeLessThanOrEqual(140);
  });

  test("the caller's limit holds", async () => {
    const { call, most, now, run } = server(4);
    const results = inOrder(all(6), call, 1, ten, now);
    await run();
    await results;
    expect(most()).toBe(1);
  });

  test("rejects with the first error and begins no further call", async () => {
    const begun: number[] = [];
    const call = async (index: number) => {
      begun.push(index);
      await Promise.resolve();
      if (index === 1) throw new Error("one");
      return index;
    };
    await expect(inOrder([0, 1, 2, 3, 4, 5, 6, 7], call, 99, ten)).rejects.toThrow("one");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(begun.length).toBeLessThan(8);
  });

  test("every result is in its caller's place", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(20).chain((n) => fc.shuffledSubarray([...Array(n + 1).keys()], { minLength: n + 1 })),
        fc.integer({ min: 1, max: 5 }),
        async (order, most) => {
          const results = await inOrder(
            order,
            async (index) => `r${index}`,
            most,
            () => 1,
          );
          expect(results).toEqual([...order.keys()].map((index) => `r${index}`));
        },
      ),
    );
  });
});
