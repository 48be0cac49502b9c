import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { interruption } from "../../src/cli/interruption.js";

test.each(["SIGINT", "SIGTERM"])("the first %s lets a command clean up, the second one ends it", (name) => {
  const source = new EventEmitter();
  const exits: number[] = [];
  const signal = interruption(source, (code) => exits.push(code));
  expect(signal.aborted).toBe(false);
  source.emit(name);
  expect([signal.aborted, exits]).toEqual([true, []]);
  source.emit(name);
  expect(exits).toEqual([130]);
});

test("it goes on listening, or what releases the store's locks would end the process at once", () => {
  const source = new EventEmitter();
  interruption(source, () => {});
  source.emit("SIGINT");
  expect(source.listenerCount("SIGINT")).toBe(1);
});
