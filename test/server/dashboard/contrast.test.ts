/** Contrast by WCAG 2.2 (1.4.3 text, 1.4.11 controls and graphics), computed from the style sheet. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const css = readFileSync(join(import.meta.dirname, "../../../src/server/dashboard/page/page.css"), "utf8");

function colorsOf(selector: string): Record<string, string> {
  const block = css.split(`${selector} {`)[1]!.split("}")[0]!;
  return Object.fromEntries(
    [...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name!, value!]),
  );
}

function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].toSorted((x, y) => x - y);
  return (light! + 0.05) / (dark! + 0.05);
}

test("the formula gives what WCAG says", () => {
  expect(contrast("#000000", "#ffffff")).toBe(21);
  expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2);
});

test.each([":root", ':root[data-theme="dark"]'])(
  "%s: text has 4.5, controls and lines of charts have 3",
  (selector) => {
    const colors = colorsOf(selector);
    expect(Object.keys(colors)).toHaveLength(14);
    const { card, ground } = colors;
    for (const name of ["text", "muted", "accent", "good", "bad", "wait"]) {
      expect(contrast(colors[name]!, card!), name).toBeGreaterThanOrEqual(4.5);
      expect(contrast(colors[name]!, ground!), name).toBeGreaterThanOrEqual(4.5);
    }
    for (const name of ["edge", "first", "second", "third"]) {
      expect(contrast(colors[name]!, card!), name).toBeGreaterThanOrEqual(3);
    }
    // How far the score's bar is filled.
    expect(contrast(colors.first!, colors.line!)).toBeGreaterThanOrEqual(3);
    expect(contrast(colors["on-accent"]!, colors.accent!)).toBeGreaterThanOrEqual(4.5);
  },
);
