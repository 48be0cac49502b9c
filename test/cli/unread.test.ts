import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { whenUnread } from "../../src/cli/unread.js";

const broken = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });

test("a command that nobody reads ends; one that serves goes on, to its last word and beyond", () => {
  for (const [serves, ended] of [
    [false, 2],
    [true, 0],
  ] as const) {
    const [out, err] = [new EventEmitter(), new EventEmitter()];
    let exits = 0;
    whenUnread([out, err], serves, () => exits++);
    out.emit("error", broken);
    err.emit("error", broken);
    expect(exits).toBe(ended);
    expect(() => out.emit("error", Object.assign(new Error("no space"), { code: "ENOSPC" }))).toThrow(
      "no space",
    );
  }
});
