import { describe, expect, test } from "vitest";
import { progress, table } from "../../src/cli/terminal.js";

function written(isTTY: boolean, total: number): string {
  let text = "";
  let now = 0;
  const tick = progress({ isTTY, write: (more) => (text += more) }, "Calls", total, () => now);
  for (let done = 1; done <= total; done++) {
    now += 500;
    tick(done);
  }
  return text;
}

describe("progress", () => {
  test("redraws one line on a terminal, cut where that is narrower, and ends it", () => {
    const text = written(true, 4);
    expect(text).toContain("\r\x1b[K\x1b[?7lCalls [########......................] 1/4, 2 s left");
    expect(text.endsWith("[##############################] 4/4\n\x1b[?7h")).toBe(true);
    expect(text.match(/\n/g)).toHaveLength(1);
  });

  test("writes a line for each quarter elsewhere", () => {
    expect(written(false, 60).trim().split("\n")).toEqual([
      "Calls: 15 of 60 calls, 7.5 s",
      "Calls: 30 of 60 calls, 15.0 s",
      "Calls: 45 of 60 calls, 22.5 s",
      "Calls: 60 of 60 calls, 30.0 s",
    ]);
  });
});

test("a table aligns its first column to the left and figures to the right", () => {
  expect(
    table([
      ["", "one", "two"],
      ["calls", "20", "1,000"],
    ]),
  ).toBe("        one     two\ncalls    20   1,000");
});
