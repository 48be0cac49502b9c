import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { RequestRecord } from "../../src/records.js";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import { commandLine } from "./commandLine.js";
import { requestAt } from "./requestAt.js";

const NOW = Date.now();
const DAY = 86_400_000;
let folder: string;
const run = (args: readonly string[]) => commandLine(["report", "--store", folder, ...args]);
const reportIn = async (...args: string[]) =>
  JSON.parse((await run(["--json", ...args])).out) as { title: string; summary: { calls: number } };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "report-"));
  const store = openJsonStore(folder);
  const calls: RequestRecord[] = Array.from({ length: 60 }, (_, index) =>
    requestAt(NOW - 10 * DAY + (index * 10 * DAY) / 60, { totalMs: 1000 + index, model: "tiny" }),
  );
  await Promise.all(calls.map((call) => store.append(call)));
  await store.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the report is text in a terminal, and data, Markdown or a page on demand", async () => {
  const { code, out, err } = await run([]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^Optimization report\n\n60 calls from /);
  expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThan(160);
  expect((await reportIn()).summary.calls).toBe(60);
  expect((await run(["--format", "markdown"])).out).toMatch(/^# Optimization report\n/);
  expect((await run(["--format", "html", "--title", "A <b>"])).out).toContain("<h1>A &lt;b&gt;</h1>");
});

test("an empty TZ, as of an unset variable in a compose file, is UTC", async () => {
  vi.stubEnv("TZ", "");
  const { code, out } = await run([]);
  vi.unstubAllEnvs();
  expect(code).toBe(0);
  expect(out).toContain("(UTC)");
});

test("--days leaves out what is older", async () => {
  expect((await reportIn("--days", "5.1")).summary.calls).toBe(30);
});

test("--prices makes costs", async () => {
  const file = `${folder}-prices.json`;
  writeFileSync(file, JSON.stringify({ models: { tiny: { inputPer1k: 1, outputPer1k: 2 } } }));
  const { costs } = JSON.parse((await run(["--json", "--prices", file])).out);
  expect(costs.total.tokenCost).toBeCloseTo((60 * (100 + 2 * 20)) / 1000);
  expect((await run(["--prices", join(folder, "none.json")])).code).toBe(2);
  rmSync(file);
});

test("--out writes a file, whole and never over another; its name tells the format", async () => {
  const file = join(folder, "..", `report-${process.pid}.html`);
  const { code, out, err } = await run(["--out", file]);
  expect([code, out, err]).toEqual([0, "", `Written to ${file}.\n`]);
  expect(readFileSync(file, "utf8")).toMatch(/^<!doctype html>/);
  expect((await run(["--out", file, "--json"])).err).toMatch(/FILE_EXISTS.*add --force/);
  expect((await run(["--out", file, "--json", "--force"])).code).toBe(0);
  expect(JSON.parse(readFileSync(file, "utf8")).summary.calls).toBe(60);
  rmSync(file);
});

test("Ctrl-C ends it with 130 and leaves no file", async () => {
  const stop = new AbortController();
  stop.abort();
  const file = join(folder, "stopped.html");
  const { code, err } = await commandLine(["report", "--store", folder, "--out", file], {
    signal: stop.signal,
  });
  expect([code, err]).toEqual([130, "\nStopped.\n"]);
  expect(existsSync(file)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes("part"))).toEqual([]);
});

test.each([
  [["--format", "htm"], /--format is "htm"\. Did you mean html\?/],
  [["--days", "-1"], /--days/],
  [["--timezone", "Mars/Base"], /Mars/],
  [["weekly"], /"weekly" is too much/],
])("%j is refused", async (args, words) => {
  const { code, err, out } = await run(args);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toMatch(words);
});

test("a file that cannot be written is told by its reason", async () => {
  const { code, err } = await run(["--out", join(folder, "no", "folder.md")]);
  expect(code).toBe(1);
  expect(err).toMatch(/FILE_NOT_WRITTEN: .*its folder does not exist/);
});

test("an empty store has a report that says so", async () => {
  const { code, out } = await commandLine(["report", "--store", join(folder, "none")]);
  expect(code).toBe(0);
  expect(out).toContain("No calls in this period.");
});
