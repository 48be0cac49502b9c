import { expect, test } from "vitest";
import { bars } from "../../src/cli/bars.js";
import { status } from "../../src/cli/status.js";

function printed(
  isTTY: boolean,
  steps: readonly (readonly [atMs: number, text: string, share: number])[],
): string {
  let text = "";
  let now = 0;
  const shown = status({ isTTY, write: (more) => (text += more) }, () => now);
  for (const [at, step, share] of steps) {
    now = at;
    shown.show(step, share);
  }
  shown.end();
  return text;
}

const steps = [
  [0, "loading", 0],
  [1_000, "reading", 0.5],
  [6_000, "reading on", 2],
] as const;

test("on a terminal one line is redrawn, cut where the terminal is narrower, and cleared in the end", () => {
  expect(printed(true, steps).split("\r\x1b[K").slice(1)).toEqual([
    "\x1b[?7l[....................] loading\x1b[?7h",
    "\x1b[?7l[##########..........] reading\x1b[?7h",
    "\x1b[?7l[####################] reading on\x1b[?7h",
    "",
  ]);
});

test("elsewhere there is a line now and then, and nothing to clear", () => {
  expect(printed(false, steps)).toBe("loading\nreading on\n");
});

test("bars share one scale from 0", () => {
  const rows = bars([
    { label: "a", value: 0, note: "none" },
    { label: "bb", value: 50, note: "half" },
    { label: "c", value: 100, note: "all" },
  ]).split("\n");
  expect(rows.map((row) => row.split("#").length - 1)).toEqual([0, 16, 32]);
  expect(new Set(rows.map((row) => row.search(/none|half|all/))).size).toBe(1);
});
