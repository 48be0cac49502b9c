import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { reportOf } from "../../src/analysis/report.js";
import { reportHtml } from "../../src/analysis/reportHtml.js";
import { reportMarkdown } from "../../src/analysis/reportMarkdown.js";
import { niceCeiling } from "../../src/analysis/svgChart.js";
import type { Report } from "../../src/analysis/types.js";
import type { RequestRecord } from "../../src/records.js";
import { request, START, traffic } from "./traffic.js";

const HOUR = 3_600_000;
const now = START + 40 * 24 * HOUR;

async function* inTurns(records: readonly RequestRecord[]) {
  yield* records;
}

describe("the efficiency score", () => {
  const caches = [{ name: "exact", size: 3, maxSize: 10, hits: 3, misses: 1, timeSavedMs: 9000 }];

  test("is 70 + 30 x hit rate - 10 for each finding, its parts shown", async () => {
    const calm = await reportOf(traffic({ seed: 1, calls: 300, sigma: 0.2 }), { now, caches });
    expect(calm.findings).toEqual([]);
    expect(calm.summary.efficiencyScore).toMatchObject({
      enough: true,
      value: 92.5,
      base: 70,
      caches: 22.5,
      findings: 0,
    });
    const slow = traffic({ seed: 1, calls: 300, sigma: 0.2, factor: (index) => (index < 200 ? 1 : 3) });
    const worse = await reportOf(slow, { now, caches });
    expect(worse.findings.map(({ kind }) => kind)).toContain("change");
    expect(worse.summary.efficiencyScore).toMatchObject({ value: 92.5 - 10 * worse.findings.length });
    expect(reportMarkdown(worse)).toContain("Formula: 70 + 30 x cache hit rate - 10 for each finding");
  });

  test("loses at most 30, and gains nothing without a cache", async () => {
    const calls = Array.from({ length: 5 }, (_, template) =>
      traffic({
        seed: template,
        calls: 200,
        sigma: 0.1,
        factor: (index) => (index < 150 ? 1 : 3),
        fields: () => ({ templateId: `t${template}` }),
      }),
    ).flat();
    const { summary, findings } = await reportOf(calls, { now });
    expect(findings.length).toBeGreaterThan(3);
    expect(summary.efficiencyScore).toMatchObject({ value: 40, caches: 0, findings: -30 });
  });

  test("of too few calls is none", async () => {
    const { summary } = await reportOf([request()], { now });
    expect(summary.efficiencyScore).toMatchObject({ enough: false, text: "not enough data (1 of 20)" });
    expect(summary.responseMs).toMatchObject({ enough: false });
  });
});

test("slow calls that chance explains are no finding, more of them are one, whatever their number", async () => {
  const chance = await reportOf(traffic({ seed: 5, calls: 3000, sigma: 0.4 }), { now });
  expect(chance.anomalyCount).toBeGreaterThan(5);
  expect(chance.findings).toEqual([]);
  const slow = traffic({ seed: 5, calls: 3000, sigma: 0.3, factor: (index) => (index % 20 === 0 ? 8 : 1) });
  const { findings, anomalies, anomalyCount } = await reportOf(slow, { now });
  expect(findings).toHaveLength(1);
  expect(findings[0]!.times).toBeGreaterThanOrEqual(145);
  expect(anomalies.length).toBeLessThanOrEqual(200);
  expect(anomalyCount).toBeGreaterThanOrEqual(findings[0]!.times);

  // The log is in the order of ends: the first call may end last.
  const [first, second] = [slow[0]!, slow[20]!];
  const byEnds = slow.with(0, second).with(20, first);
  expect((await reportOf(byEnds, { now })).findings[0]!.firstAt).toBe(first.at);
});

describe("reloads avoided", () => {
  const sized = (needs: readonly number[], everyMs = 10_000) =>
    needs.map((promptTokens, index) =>
      request({
        atMs: START + index * everyMs,
        promptTokens,
        outputTokens: 0,
        loadMs: index === 0 ? 4000 : 5,
      }),
    );

  test("are counted by replaying the log: sizing by request loads for each new size, doubling when it must", async () => {
    const { replay } = await reportOf(sized([1000, 1100, 1000, 5000, 9000, 1000]), { now });
    expect(replay).toMatchObject({ calls: 6, loads: 1, medianLoadMs: 4000, longerThanDefault: 2 });
    expect(replay.counterfactuals).toMatchObject([
      { policy: "perRequest", loads: 6, loadsAvoided: 5, timeSavedMs: 20_000 },
      { policy: "stickyDoubling", loads: 3, loadsAvoided: 2, timeSavedMs: 8000 },
    ]);
    expect(replay.assumptions.join()).toContain("median load time");
  });

  test("know calls that wait for one and the same load: they report the wait as a load of their own", async () => {
    const waiting = Array.from({ length: 20 }, (_, index) =>
      request({
        id: `waiting ${index}`,
        atMs: START + 40 * index,
        loadMs: 4000 - 40 * index,
        totalMs: 5000,
        decision: null,
      }),
    );
    const { replay, anomalies } = await reportOf(waiting, { now });
    expect(replay).toMatchObject({ calls: 20, loads: 1, medianLoadMs: 4000 });
    expect(anomalies).toEqual([]);

    const turns = Array.from({ length: 8 }, (_, index) =>
      request({ id: `turn ${index}`, atMs: START, loadMs: 400 * (index + 1), totalMs: 5000, decision: null }),
    );
    expect((await reportOf(turns, { now })).replay.loads).toBe(8);
  });

  test("may be fewer than none: a policy that would have done better says so", async () => {
    const calls = sized([1000, 1000, 1000]).map((call) => ({ ...call, loadMs: 3000 }));
    const { replay } = await reportOf(calls, { now });
    expect(replay.counterfactuals[0]).toMatchObject({ loads: 1, loadsAvoided: -2, timeSavedMs: -6000 });
  });

  test("after a pause every policy loads anew", async () => {
    const { replay } = await reportOf(sized([1000, 1000, 1000], 10 * 60_000), { now });
    expect(replay.counterfactuals.map(({ loads }) => loads)).toEqual([3, 3]);
  });

  test("without a load that was seen have no time", async () => {
    const calls = sized([1000, 1000]).map((call) => ({ ...call, loadMs: 3 }));
    const { replay } = await reportOf(calls, { now });
    expect(replay.counterfactuals[0]!.timeSavedMs).toBeNull();
  });
});

describe("recommendations", () => {
  const textOf = async (calls: readonly RequestRecord[], options = {}) =>
    (await reportOf(calls, { now, ...options })).recommendations.map(({ text }) => text).join("\n");

  test("name a cache when prompts repeat and there is none", async () => {
    const calls = traffic({
      seed: 1,
      calls: 100,
      sigma: 0.2,
      fields: (index) => ({ promptHash: `hash${index % 50}` }),
    });
    const report = await reportOf(calls, { now });
    expect(report.summary.repeatedPrompts).toBe(50);
    expect(report.recommendations[0]?.text).toContain("exact cache");
    expect(report.recommendations[0]?.because).toContain("50 prompts of 100");
    const caches = [{ name: "exact", size: 1, maxSize: null, hits: 1, misses: 99, timeSavedMs: null }];
    expect(await textOf(calls, { caches })).toContain("live longer");
  });

  test("follow from cut prompts and errors, and there are none where nothing is wrong", async () => {
    const cut = {
      outcome: { retries: 0, reloaded: false, shifted: true, cut: true, error: null },
    } as RequestRecord["decision"];
    expect(await textOf([request({ decision: cut })])).toMatch(/0\.12\.6[\s\S]*output reserve/);
    const failing = traffic({
      seed: 1,
      calls: 100,
      sigma: 0.2,
      fields: (index) => ({ error: index % 10 ? null : "OUT_OF_MEMORY" }),
    });
    expect(await textOf(failing)).toContain("OLLAMA_MAX_LOADED_MODELS");
    expect(await textOf(traffic({ seed: 1, calls: 100, sigma: 0.2 }))).toBe("");
  });
});

test("a log read in turns gives the same report as one in memory, and none an empty one", async () => {
  const calls = traffic({ seed: 2, calls: 700, sigma: 0.3, factor: (index) => (index % 40 ? 1 : 9) });
  const options = { now, prices: { models: { "*": { inputPer1k: 1, outputPer1k: 1 } } } };
  expect(await reportOf(inTurns(calls), options)).toEqual(await reportOf(calls, options));
  const empty = await reportOf([], options);
  expect(empty).toMatchObject({
    from: null,
    to: null,
    chart: [],
    findings: [],
    costs: { total: { calls: 0, totalCost: null } },
  });
  expect(reportMarkdown(empty)).toContain("No calls in this period.");
  expect(reportHtml(empty)).toContain("not enough data (0 of 20)");
});

test("records that cannot be reckoned with are left out and told of", async () => {
  const report = await reportOf(
    [request(), request({ totalMs: Number.NaN }), request({ at: "2999-01-01T00:00:00.000Z" })],
    { now },
  );
  expect(report.summary.calls).toBe(1);
  expect(report.refused.records).toBe(2);
  expect(reportMarkdown(report)).toContain("1 record: at is in the future");
  await expect(reportOf([], { now: Number.NaN })).rejects.toMatchObject({ code: "OPTION_INVALID" });
});

test("calls at the price of all other models are in the sums, and said to be so", async () => {
  const prices = { models: { "*": { inputPer1k: 1, outputPer1k: 2 } } };
  const page = reportMarkdown(await reportOf([request()], { now, prices }));
  expect(page).toContain("Charged at the price of all other models: 1 call.");
  expect(page).not.toContain("Not in these sums");
});

test("a table of the last days says that there are more", async () => {
  const daily = (days: number) =>
    Array.from({ length: days }, (_, day) => request({ atMs: START + day * 24 * HOUR, id: `${day}` }));
  const page = async (days: number) => reportMarkdown(await reportOf(daily(days), { now, prices: {} }));
  expect(await page(30)).toContain("The newest 14 of 30 days (UTC):");
  expect(await page(14)).toContain("By day (UTC):");
});

describe("the page", () => {
  const hostile = `</title><script>alert(1)</script>" onload='x' | [a](javascript:x) & <img src=x onerror=y>\u0000`;
  const full = async (name: string): Promise<Report> => {
    const calls = traffic({
      seed: 3,
      calls: 900,
      sigma: 0.2,
      everyMs: HOUR / 2,
      factor: (index) => (index > 700 ? 3 : 1),
      fields: (index) => ({
        model: name,
        templateId: name,
        promptTokens: 500,
        outputTokens: 50,
        error: index % 20 ? null : name,
        tags: [name],
      }),
    });
    return reportOf(calls, {
      now: START + 900 * (HOUR / 2),
      title: name,
      timeZone: "Europe/Berlin",
      caches: [{ name, size: 1, maxSize: null, hits: 1, misses: 1, timeSavedMs: 5 }],
      applied: [{ type: name, action: name, at: new Date(START).toISOString(), reason: name, outcome: null }],
      prices: {
        models: { "*": { inputPer1k: 1, outputPer1k: 1 } },
        hosted: { [name]: { inputPer1k: 1, outputPer1k: 1 } },
        currency: name,
      },
    });
  };

  test("keeps hostile names as text, in HTML and in Markdown", async () => {
    const report = await full(hostile);
    const html = reportHtml(report);
    const { document } = parseHTML(html);
    expect(document.querySelectorAll("script, img, a, [onload], [onerror]")).toHaveLength(0);
    expect(document.querySelector("h1")?.textContent).toBe(hostile.replace("\u0000", "\ufffd"));
    expect(html).not.toContain("<script");
    const markdown = reportMarkdown(report);
    expect(markdown).not.toMatch(/<|[^\\]\[a\]/);
    for (const table of markdown
      .trim()
      .split("\n\n")
      .filter((block) => block.startsWith("| "))) {
      const columns = table.split("\n").map((row) => row.match(/(?<!\\)\|/g)!.length);
      expect(new Set(columns).size).toBe(1);
    }
  });

  test("needs nothing from elsewhere and forbids it", async () => {
    const html = reportHtml(await full("llama3.2:3b"));
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/https?:|url\(|@import|src=|href=/);
    expect(html).toContain("prefers-color-scheme:dark");
  });

  test("can be read without seeing it: language, headings, captions, charts with title, description and figures", async () => {
    const { document } = parseHTML(reportHtml(await full("llama3.2:3b")));
    expect(document.documentElement.getAttribute("lang")).toBe("en");
    expect(document.querySelectorAll("h1")).toHaveLength(1);
    expect([...document.querySelectorAll("h2")].map((each) => each.textContent)).toEqual([
      "Summary",
      "What to do",
      "Over time",
      "Findings",
      "Trends",
      "Reloads avoided",
      "Caches",
      "Forecast",
      "Costs",
      "What was applied",
    ]);
    for (const table of document.querySelectorAll("table")) {
      expect(table.querySelector("caption")?.textContent).not.toBe("");
      expect(table.querySelectorAll("th[scope=col]").length).toBeGreaterThan(1);
    }
    const charts = [...document.querySelectorAll("svg")];
    expect(charts).toHaveLength(3);
    const ids = new Set<string>();
    for (const chart of charts) {
      expect(chart.getAttribute("role")).toBe("img");
      for (const id of chart.getAttribute("aria-labelledby")!.split(" ")) {
        expect(ids.has(id)).toBe(false);
        ids.add(id);
        expect(chart.querySelector(`#${id}`)?.textContent).not.toBe("");
      }
      expect(chart.closest("figure")?.querySelector("details table")).not.toBeNull();
      expect(chart.outerHTML).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  test("has text that stands out from its ground by 4.5 to 1 at least, light and dark", async () => {
    const html = reportHtml(await full("llama3.2:3b"));
    const palettes = [...html.matchAll(/:root\{([^}]*)\}/g)].map(([, rules]) =>
      Object.fromEntries([...rules!.matchAll(/--(\w+):(#\w+)/g)].map(([, name, value]) => [name, value!])),
    );
    expect(palettes).toHaveLength(2);
    for (const palette of palettes) {
      for (const ground of [palette.back!, palette.panel!]) {
        for (const name of ["text", "muted", "accent"])
          expect(contrast(palette[name]!, ground)).toBeGreaterThanOrEqual(4.5);
      }
    }
  });
});

/** WCAG 2.2, relative luminance. */
function contrast(a: string, b: string): number {
  const luminance = (colour: string): number => {
    const hex =
      colour.length === 4 ? [...colour.slice(1)].map((digit) => digit + digit).join("") : colour.slice(1);
    const [red, green, blue] = [0, 2, 4].map((at) => {
      const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light! + 0.05) / (dark! + 0.05);
}

test("axes end at figures one can read", () => {
  expect([0, 0.3, 1, 17, 317, 999].map(niceCeiling)).toEqual([1, 0.4, 1, 20, 400, 1000]);
});

test("a log that was imported behind a newer one is no surge, no reload storm, and no calls without a pause", async () => {
  const hourly = (from: number, hours: number): RequestRecord[] =>
    Array.from({ length: hours }, (_, hour) =>
      request({ atMs: from + hour * HOUR, id: `${from + hour}`, loadMs: 3000, totalMs: 4000 }),
    );
  const [older, newer] = [hourly(START, 20 * 24), hourly(START + 20 * 24 * HOUR, 10 * 24)];
  const inOrder = await reportOf([...older, ...newer], { now });
  const imported = await reportOf([...newer, ...older], { now });
  expect(inOrder.findings).toEqual([]);
  expect(imported.findings).toEqual([]);
  expect(imported.replay).toEqual(inOrder.replay);
});
