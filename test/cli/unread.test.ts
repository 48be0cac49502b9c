import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { whenUnread } from "../../src/cli/unread.js";

const broken = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });

function printing(serves: boolean) {
  let told = "";
  const write = (text: string) => (told += text);
  const [out, err] = [1, 2].map(() => Object.assign(new EventEmitter(), { write }));
  const exits: number[] = [];
  whenUnread({ out: out!, err: err! }, serves, (code) => exits.push(code));
  return { out: out!, err: err!, exits, told: () => told };
}

test("a command that nobody reads ends, and one whose output gets nowhere says why", () => {
  const { out, err, exits, told } = printing(false);
  out.emit("error", broken);
  err.emit("error", broken);
  expect([exits, told()]).toEqual([[0, 0], ""]);
  out.emit("error", full);
  expect(told()).toBe(
    "FILE_NOT_WRITTEN: The standard output cannot be written: the disk is full. Choose another place.\n",
  );
  err.emit("error", full);
  expect(exits).toEqual([0, 0, 1, 1]);
});

test("one that serves goes on, to its last word and beyond", () => {
  const { out, err, exits } = printing(true);
  for (const error of [broken, full]) {
    out.emit("error", error);
    err.emit("error", error);
  }
  expect(exits).toEqual([]);
});
