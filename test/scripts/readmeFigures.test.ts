import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { benchTable, demoText, filled, liveTable } from "../../scripts/readmeFigures.mjs";

const machine = {
  processor: "A processor",
  cores: 2,
  memoryGigabytes: 24,
  system: "linux x64",
  node: "v20.1.0",
  load: 1.5,
};

describe("readmeFigures", () => {
  test("writes between the markers and nowhere else, again and again", () => {
    const once = filled("a\n<!-- bench -->\nold\n<!-- /bench -->\nz", "bench", "new");
    expect(once).toBe("a\n<!-- bench -->\nnew\n<!-- /bench -->\nz");
    expect(filled(once, "bench", "new")).toBe(once);
  });

  test("says so when the README has no such place", () => {
    expect(() => filled("text", "bench", "new")).toThrow("no place <!-- bench -->");
  });

  test.each([
    ["README.md", "demo"],
    ["README.md", "bench:live"],
    ["docs/measurements.md", "bench"],
    ["docs/measurements.md", "batch"],
  ])("%s has the place of %s, which is filled", (file, place) => {
    const text = readFileSync(join(import.meta.dirname, "../..", file), "utf8");
    expect(filled(text, place, "figures")).toContain("figures");
  });

  test("shows each strategy, and names every bar that was missed", () => {
    const strategy = {
      loads: 1000,
      lateLoads: 3,
      cut: 0,
      refused: 1,
      wallSeconds: 1234.5,
      loadSeconds: 12.4,
      memoryBytes: 228e6,
      finalWindow: 32768,
    };
    const text = liveTable({
      machine,
      ollama: "0.34.0",
      model: "m",
      seed: 1,
      calls: 1000,
      largestNeedTokens: 32_000,
      strategies: { "fixed maximum": strategy, "this package": { ...strategy, loads: 4 } },
      bars: [
        { what: "cut answers", measured: 0, atMost: 0, isMet: true },
        { what: "time / fixed maximum", measured: 1.2345, atMost: 1.02, isMet: false },
      ],
    });
    expect(text).toContain("| **this package** | 4 | 3 | 0 | 1 | 1,235 | 12 | 228 | 32,768 |");
    expect(text).toContain("Missed, of 2 bars: time / fixed maximum 1.23 (at most 1.02).");
    expect(text).toContain("A processor, 2 cores, 24 GB, linux x64, Node 20.1.0, load 1.5");
  });

  test("marks a figure that misses its bar", () => {
    const text = benchTable({
      machine,
      results: {
        tokens: [
          { what: "prose", value: 21.889, unit: "MB/s", atLeast: 2 },
          { what: "blocked", value: 22.04, unit: "ms", atMost: 5 },
        ],
      },
    });
    expect(text).toContain("| tokens: prose | 21.9 MB/s | ≥ 2 |");
    expect(text).toContain("| tokens: blocked | **22 ms**, missed | ≤ 5 |");
  });

  test("shows the worst of figures that differ behind a comma", () => {
    const recall = (place: number, value: number) => ({
      what: `recall, at word ${place}`,
      value,
      unit: "",
      atLeast: 0.95,
    });
    const text = benchTable({
      machine,
      results: { matching: [recall(5, 1), recall(20, 0.97), recall(80, 0.99)] },
    });
    expect(text).toContain("| matching: recall, the worst of 3 | 0.97 | ≥ 0.95 |");
    expect(text).not.toContain("at word");
  });

  test("takes the demo's table without the folder of its store", () => {
    const output = "Ollama at ...\n\n20 calls   a   b\nrow   1   2\n\nMore.\nThe store: /somewhere\n";
    expect(demoText(output)).toBe("```\n20 calls   a   b\nrow   1   2\n\nMore.\n```");
    expect(() => demoText("nothing")).toThrow("printed no table");
  });
});
