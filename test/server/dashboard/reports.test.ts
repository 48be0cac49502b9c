/** The panels that tell how it went over the last days, and the alerts, in a real browser. */
import { networkInterfaces } from "node:os";
import { Hono } from "hono";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EntryCache } from "../../../src/cache/index.js";
import type { Alert } from "../../../src/monitor/index.js";
import { Activity } from "../../../src/server/activity.js";
import { addDashboard } from "../../../src/server/dashboard/dashboard.js";
import { eventStream } from "../../../src/server/eventStream.js";
import { listen } from "../../../src/server/index.js";
import { call, lognormal, seeded } from "../../monitor/calls.js";
import { pair, user } from "../support.js";
import { launch, open, program, readReports, SKIPPED } from "./browser.js";
import { anomaly } from "./calls.js";

let browser: Browser;
beforeAll(async () => {
  if (program) browser = await launch();
});
afterAll(() => browser?.close());

const HOUR = 3_600_000;
const ADDRESS = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

/** A server with a log of as many calls as there are, one each half hour, the last of them slow. */
async function withLog(calls: number, options: Parameters<typeof pair>[1] = {}, names = "support") {
  const servers = await pair({}, options);
  const random = seeded(5);
  for (let index = 0; index < calls; index++) {
    const isSlow = index > 0.8 * calls;
    const totalMs = lognormal(random, 1_000, 0.2) * (isSlow ? 3 : 1);
    const at = Date.now() - ((calls - index) * HOUR) / 2;
    await servers.store.append(call(at, { model: names, templateId: names, totalMs }));
  }
  return servers;
}

/** Half of whose lookups could hit: a step of the auto-optimizer is due. */
async function idleCache(): Promise<EntryCache> {
  const cache = new EntryCache({ maxEntries: 100 });
  for (let index = 0; index < 50; index++) await cache.get(`${index}`);
  return cache;
}

const region = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

describe.skipIf(!program)(`reports on the page${SKIPPED}`, () => {
  test("tell the score with its parts, what to do, trends, anomalies with cause and size, caches and costs", async () => {
    const prices = {
      currency: "EUR",
      models: { "*": { inputPer1k: 0.1, outputPer1k: 1 } },
      hosted: { elsewhere: { inputPer1k: 1, outputPer1k: 10 } },
    };
    await using servers = await withLog(200, { reporting: { cache: await idleCache(), prices } });
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);
    const { page } = watched;
    await readReports(page);

    const report = region(page, "Report");
    expect(await report.locator(".score").textContent()).toMatch(/^[46]0 of 100$/);
    expect(await report.locator(".facts").first().textContent()).toMatch(
      /^Base70Caches\+0: 0 % hitsFindings-\d0: \d findings?$/,
    );
    expect(await report.getByText("degrading").count()).toBeGreaterThan(0);
    expect(await report.getByRole("img", { name: /^Response time by stretch of time: p50/ }).count()).toBe(1);
    expect(await report.locator("canvas").count()).toBe(1);
    expect(await report.getByText(/^200 calls from .* as of/).count()).toBe(1);

    expect(await region(page, "Calls by model").getByRole("row", { name: "support" }).textContent()).toMatch(
      /^support200100 %0/,
    );
    const found = region(page, "Anomalies").getByRole("row").filter({ hasText: "change" }).first();
    expect(await found.getByRole("cell").allTextContents()).toEqual([
      expect.stringContaining("support"),
      expect.stringContaining("change"),
      expect.any(String),
      expect.stringMatching(/^[23]\.?\d* x$/),
    ]);
    const entries = region(page, "Caches").locator(".tiles div").filter({ hasText: "Entries at most" });
    expect(await entries.locator("dd").textContent()).toBe("100");
    const costs = region(page, "Costs").getByRole("row", { name: "All" });
    // 200 x 812 prompt tokens and 200 x 96 of output.
    expect((await costs.getByRole("cell").allTextContents()).slice(-2)).toEqual(["35.44 EUR", "354.40 EUR"]);
    const spent = region(page, "Costs").locator(".tiles dd");
    expect((await spent.allTextContents()).slice(0, 3)).toEqual(["35.44 EUR", "16.24 EUR", "19.20 EUR"]);
    expect(watched.errors).toEqual([]);
    expect(watched.foreign).toEqual([]);
  });

  test("say how much is missing where there are too few calls, and that there are no prices and no cache", async () => {
    await using servers = await withLog(7);
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);
    const { page } = watched;
    await readReports(page);

    const report = region(page, "Report");
    expect(await report.locator(".score").textContent()).toMatch(/^ not enough data \(7 of \d+\)$/);
    await report.getByText(/^All calls: not enough data \(\d+ of \d+\)\.$/).waitFor();
    await region(page, "Anomalies")
      .getByText(/not enough data \(7 of 40\)/)
      .waitFor();
    await region(page, "Anomalies").getByText("Nothing was out of the ordinary.").waitFor();
    await region(page, "Caches")
      .getByText(/^This server keeps no replies/)
      .waitFor();
    await region(page, "Costs")
      .getByText(/This server was given no prices: serve --prices FILE\./)
      .waitFor();
    expect(await region(page, "Costs").getByRole("cell", { name: "–" }).count()).toBeGreaterThan(0);
  });

  test("tell what the server's own cache of replies gave", async () => {
    await using servers = await pair({}, { cache: { maxEntries: 500 } });
    const asked = { model: "tiny", messages: user("hello"), stream: false, options: { temperature: 0 } };
    for (let times = 0; times < 3; times++) await (await servers.post("/api/chat", asked)).text();
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);
    await readReports(watched.page);

    const figures = region(watched.page, "Caches").locator(".tiles").first().locator("dd");
    expect((await figures.allTextContents()).slice(0, 6)).toEqual([
      "66.7 %",
      "2",
      "1",
      "1",
      "500",
      "1 h 0 min",
    ]);
  });

  test("are read when they come into sight, not before and not again and again", async () => {
    await using servers = await withLog(40);
    const { origin } = await servers.listen();
    const asked: string[] = [];
    await using watched = await open(browser, origin);
    const { page } = watched;
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    const reads = () => asked.filter((path) => /report|costs|anomalies|metrics/.test(path));
    await expect.poll(() => asked, { timeout: 20_000 }).toContain("/optimization/models");
    await page.waitForTimeout(2_500);
    expect(reads()).toEqual([]);

    await readReports(page);
    await page.evaluate("scrollTo(0, 0)");
    await readReports(page);
    await page.waitForTimeout(1_500);
    expect(reads().sort()).toEqual(
      ["anomalies", "costs", "metrics", "report"].map((name) => `/optimization/${name}`),
    );

    await page.getByLabel("Reports over").selectOption("1 day");
    const again = page.waitForRequest(/\/optimization\/report\?days=1$/);
    await page.locator("#panel-report").scrollIntoViewIfNeeded();
    await again;
  });

  test("show names that are written like HTML as text", async () => {
    const hostile = `<img src=x onerror=alert(1)>"'\`</td><script>alert(2)</script>`;
    await using servers = await withLog(120, {}, hostile);
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);
    const { page } = watched;
    await readReports(page);

    for (const panel of ["Report", "Calls by model", "Anomalies", "Costs"]) {
      expect(await region(page, panel).getByText(hostile).count(), panel).toBeGreaterThan(0);
    }
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(watched.dialogs).toEqual([]);
    expect(watched.foreign).toEqual([]);
  });
});

describe.skipIf(!program)(`steps of the auto-optimizer on the page${SKIPPED}`, () => {
  test("are told first and taken at a click, with the token", async () => {
    const cache = await idleCache();
    await using servers = await withLog(0, { token: "right", reporting: { cache } });
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);
    const { page } = watched;
    await readWithToken(page);

    const report = region(page, "Report");
    await report.getByText("Keep cached replies for 7200 s instead of 3600 s.").waitFor();
    expect((await cache.statistics()).ttlSeconds).toBe(3_600);
    await takeSteps(report);

    expect((await cache.statistics()).ttlSeconds).toBe(7_200);
    expect(await report.getByRole("row").filter({ hasText: "7200 s" }).textContent()).toMatch(/not yet$/);
    expect(await report.getByRole("button", { name: "Take these steps" }).count()).toBe(0);
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Steps");
  });

  test("have no button where none is due", async () => {
    await using servers = await withLog(0);
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);
    await readReports(watched.page);

    await region(watched.page, "Report").getByText("The figures call for no step.").waitFor();
    expect(await watched.page.getByRole("button", { name: "Take these steps" }).count()).toBe(0);
  });

  test("are taken too on a page that was opened by the address of its server", async ({ skip }) => {
    if (ADDRESS === undefined) return skip("this machine has no address but its own");
    const cache = await idleCache();
    await using servers = await withLog(0, { token: "right", reporting: { cache } });
    const listener = await listen(servers.app, { address: "0.0.0.0", port: 0, hasToken: true });
    try {
      await using watched = await open(browser, listener.origin.replace("0.0.0.0", ADDRESS));
      const { page } = watched;
      await readWithToken(page);

      const report = region(page, "Report");
      await takeSteps(report);
      expect((await cache.statistics()).ttlSeconds).toBe(7_200);
    } finally {
      await listener.close(0);
    }
  });

  test.each([
    ["another site's page", { origin: "http://evil.example", authorization: "Bearer right" }, 403],
    ["a page of another address", { origin: "http://192.0.2.7:11435", authorization: "Bearer right" }, 403],
    ["a name that is not the server's", { host: "evil.example", authorization: "Bearer right" }, 403],
    ["nobody who has the token", { origin: "http://127.0.0.1:11435" }, 401],
  ])("are not taken for %s", async (_, headers: Record<string, string>, status) => {
    const cache = await idleCache();
    await using servers = await withLog(0, { token: "right", reporting: { cache } });

    expect((await servers.post("/optimization/auto-optimize", {}, headers)).status).toBe(status);
    expect((await cache.statistics()).ttlSeconds).toBe(3_600);
  });
});

describe.skipIf(!program)(`alerts on the page${SKIPPED}`, () => {
  test("are read out politely, each once, also after the stream broke, and say when it is over", async () => {
    await using served = await serveAlerts();
    served.open.push(anomaly("an open one"));
    await using watched = await open(browser, served.origin);
    const { page } = watched;
    const log = page.getByRole("log", { name: "Alerts" });
    await log.getByText("an open one is slow").waitFor();
    expect(await log.getAttribute("aria-live")).toBe("polite");

    // What a screen reader would read: every line that is added.
    await page.evaluate(`
      globalThis.added = [];
      new MutationObserver((changes) => {
        for (const change of changes) for (const node of change.addedNodes) if (node.tagName === "P") added.push(node.textContent);
      }).observe(document.querySelector("#alerts"), { childList: true });
    `);
    const raise = (key: string): void => {
      served.open.push(anomaly(key));
      served.tell({ type: "raised", at: new Date().toISOString(), anomaly: anomaly(key), repeats: 0 });
    };
    raise("a new one");
    await log.getByText("a new one is slow").waitFor();
    served.tell({ type: "raised", at: new Date().toISOString(), anomaly: anomaly("a new one"), repeats: 1 });
    await served.breakOff();
    await page.locator('#connection[data-state="disconnected"]').waitFor();
    await page.locator('#connection[data-state="live"]').waitFor();
    served.tell({
      type: "recovered",
      at: new Date().toISOString(),
      anomaly: anomaly("an open one"),
      repeats: 0,
    });
    await log.locator("[data-state=over]").getByText("an open one is slow").waitFor();

    expect(await page.evaluate("added")).toEqual([expect.stringMatching(/^Alert .* a new one is slow$/)]);
    expect(await log.locator("[data-state=open]").count()).toBe(1);
    expect(watched.dialogs).toEqual([]);
  });

  test("take three lines at most and count the others", async () => {
    await using served = await serveAlerts();
    served.open.push(...["a", "b", "c", "d", "e"].map((key) => anomaly(key)));
    await using watched = await open(browser, served.origin);
    const log = watched.page.getByRole("log", { name: "Alerts" });

    await log.getByText("And 2 earlier ones.").waitFor();
    expect(await log.locator("[data-state]").count()).toBe(3);
  });

  test("take no room while there are none", async () => {
    await using served = await serveAlerts();
    await using watched = await open(browser, served.origin);
    const gap = await watched.page.evaluate(
      "document.querySelector('.panel').getBoundingClientRect().top - document.querySelector('header').getBoundingClientRect().bottom",
    );
    expect(gap).toBeLessThan(20);
  });
});

/** The page and a stream of alerts of one's own. */
async function serveAlerts() {
  const openAlerts: ReturnType<typeof anomaly>[] = [];
  const listeners = new Set<(alert: Alert) => void>();
  const activity = new Activity(Date.now, 8);
  let stopping = new AbortController();
  const app = new Hono();
  addDashboard(app);
  app.get("/optimization/events", () =>
    eventStream(activity, stopping.signal, {
      get open() {
        return openAlerts;
      },
      subscribe: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    }),
  );
  const listener = await listen(app, { port: 0 });
  return {
    origin: listener.origin,
    open: openAlerts,
    tell: (alert: Alert): void => {
      for (const hear of listeners) hear(alert);
    },
    /** Ends the streams that there are. */
    breakOff: async (): Promise<void> => {
      stopping.abort();
      stopping = new AbortController();
    },
    [Symbol.asyncDispose]: () => listener.close(0),
  };
}

async function readWithToken(page: Page): Promise<void> {
  await page.getByLabel("Token", { exact: true }).fill("right");
  await page.keyboard.press("Enter");
  await readReports(page);
}

async function takeSteps(report: Locator): Promise<void> {
  await report.getByRole("button", { name: "Take these steps" }).press("Enter");
  await report
    .getByRole("status")
    .getByText(/^1 step taken/)
    .waitFor();
}
