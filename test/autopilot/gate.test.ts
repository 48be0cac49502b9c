import { expect, test } from "vitest";
import { Gate } from "../../src/autopilot/index.js";

/** Work that ends when it is told to. */
function held() {
  let end = () => {};
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { work: () => done, end: () => end() };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("as many calls run as the gate lets, the others wait in their order", async () => {
  const gate = new Gate(2);
  const works = [held(), held(), held(), held()];
  const begun: number[] = [];
  const runs = works.map(({ work }, index) =>
    gate.run(() => {
      begun.push(index);
      return work();
    }),
  );
  await turn();
  expect(begun).toEqual([0, 1]);
  works[1]!.end();
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  for (const { end } of works) end();

  await Promise.all(runs);
  expect(begun).toEqual([0, 1, 2, 3]);
  expect(gate.busiest).toBe(2);
});

test("a gate that is opened lets those that wait in at once", async () => {
  const gate = new Gate(1);
  const works = [held(), held(), held()];
  const runs = works.map(({ work }) => gate.run(work));
  await turn();
  gate.limit = null;
  await turn();

  expect(gate.busiest).toBe(3);
  for (const { end } of works) end();
  await Promise.all(runs);
});

test("work that fails makes room, and its error is the caller's", async () => {
  const gate = new Gate(1);

  await expect(gate.run(async () => Promise.reject(new TypeError("no")))).rejects.toThrow("no");
  await expect(gate.run(async () => "next")).resolves.toBe("next");
});

test("who leaves while waiting is not waited for", async () => {
  const gate = new Gate(1);
  const first = held();
  const running = gate.run(first.work);
  const leaving = new AbortController();
  const waiting = gate.run(async () => "never", leaving.signal);
  const last = gate.run(async () => "last");
  leaving.abort(new Error("left"));

  await expect(waiting).rejects.toThrow("left");
  first.end();
  await running;
  await expect(last).resolves.toBe("last");
});
