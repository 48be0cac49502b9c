/** The page in a real browser, on a server of this package before a scripted Ollama. */
import { networkInterfaces } from "node:os";
import { Hono } from "hono";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Activity } from "../../../src/server/activity.js";
import { addDashboard } from "../../../src/server/dashboard/dashboard.js";
import { eventStream } from "../../../src/server/eventStream.js";
import { listen } from "../../../src/server/index.js";
import { templates } from "../../../src/server/templatesRoute.js";
import { memoryStore } from "../../../src/storage/memory.js";
import { scriptedEngine } from "../../../src/testing/index.js";
import { pair, user, words } from "../support.js";
import { launch, open, program, SKIPPED } from "./browser.js";
import { outcome } from "./calls.js";

let browser: Browser;
beforeAll(async () => {
  if (program) browser = await launch();
});
afterAll(() => browser?.close());

const PANELS = [
  "Live requests",
  "Latency",
  "Models",
  "Tokens",
  "Reloads",
  "Templates",
  "Decisions",
  "Report",
  "Calls by model",
  "Anomalies",
  "Caches",
  "Costs",
];

/** The text of a figure by its name. */
const tile = (page: Page, panel: string, name: string) =>
  page
    .getByRole("region", { name: panel, exact: true })
    .locator(".tiles div")
    .filter({ hasText: name })
    .locator("dd");

describe.skipIf(!program)(`the page${SKIPPED}`, () => {
  test("works below a path, in another application or behind a proxy", async () => {
    await using servers = await pair();
    const outer = new Hono().mount("/llm", servers.app.fetch);
    const listener = await listen(outer, { port: 0 });
    try {
      await using watched = await open(browser, `${listener.origin}/llm`);
      await watched.page.getByRole("heading", { name: "Costs" }).waitFor();

      expect(watched.foreign).toEqual([]);
      expect(watched.errors).toEqual([]);
    } finally {
      await listener.close(1_000);
    }
  });

  test("loads without an error and without a request to anywhere else", async () => {
    await using servers = await pair();
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);

    const titles = await watched.page.getByRole("heading", { level: 2 }).allTextContents();
    expect(titles.filter((title) => PANELS.includes(title))).toEqual(PANELS);
    await watched.page.getByText("No model is loaded.").waitFor();
    expect(watched.errors).toEqual([]);
    expect(watched.foreign).toEqual([]);
  });

  test("shows calls while they run, and what became of them", async () => {
    let answer = (): void => {};
    const until = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await using servers = await pair({
      engine: scriptedEngine({
        reply: async () => {
          await until;
          return "an answer";
        },
      }),
    });
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);
    const { page } = watched;
    const asked = servers.post("/api/chat", { model: "tiny", messages: user(words(3_000)), stream: false });

    const live = page.getByRole("region", { name: "Live requests", exact: true });
    await live.getByRole("row").filter({ hasText: "/api/chat" }).waitFor();
    expect(await tile(page, "Live requests", "Running").textContent()).toBe("1");

    answer();
    const reply = await asked;
    const numCtx = Number(reply.headers.get("x-optimizer-num-ctx"));
    expect(numCtx).toBeGreaterThan(3_000);
    await live.getByText("No request is running.").waitFor();
    const window = numCtx.toLocaleString("en");
    const decided = page.getByRole("region", { name: "Decisions", exact: true }).getByRole("row").nth(1);
    expect(await decided.textContent()).toContain(window);
    await page
      .getByRole("region", { name: "Models", exact: true })
      .getByRole("cell", { name: window })
      .first()
      .waitFor();
    expect(await tile(page, "Tokens", "Prompt tokens").textContent()).toMatch(/^3,\d{3}$/);

    await decided.locator("summary").click();
    await decided.getByText(/^[\d,]+ tokens: [\d,]+ of the prompt/).waitFor();
    expect(await decided.textContent()).toContain("/api/chat (Ollama)");
    expect(watched.errors).toEqual([]);
  });

  test("decisions are found by action and by word, and older ones come from the store", async () => {
    await using servers = await pair({ models: [{ name: "tiny" }, { name: "other" }] });
    for (const model of ["tiny", "tiny", "other"]) {
      await (await servers.post("/api/chat", { model, messages: user("hello"), stream: false })).text();
    }
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);
    const region = watched.page.getByRole("region", { name: "Decisions", exact: true });
    const rows = region.locator("tbody tr");
    await rows.nth(2).waitFor();

    await region.getByRole("searchbox").fill("other");
    expect(await rows.count()).toBe(1);
    expect(await region.getByRole("status").textContent()).toBe("1 that fit, of 3 calls");
    await region.getByRole("searchbox").fill("");
    await region.getByLabel("Action").selectOption("load");
    expect(await rows.count()).toBe(2);
    await region.getByLabel("Action").selectOption("shrink");
    await region.getByText("No call fits.").waitFor();
  });

  test("asks for the token, says when it is wrong, and keeps it for this tab only", async () => {
    await using servers = await pair({}, { token: "right" });
    const { origin } = await servers.listen();
    await using watched = await open(browser, origin);
    const { page } = watched;
    const field = page.getByLabel("Token", { exact: true });
    await field.waitFor();
    await expect.poll(() => page.evaluate("document.activeElement.id")).toBe("token");
    expect(await page.getByRole("region", { name: "Live requests" }).count()).toBe(0);

    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("The server does not take this token.").waitFor();
    expect(await field.getAttribute("aria-invalid")).toBe("true");

    await field.fill("right");
    await page.getByRole("button", { name: "Connect" }).click();
    await page.locator('#connection[data-state="live"]').waitFor();
    expect(await field.isVisible()).toBe(false);
    await page.getByText("No model is loaded.").waitFor();
    // 401 is in the console: the browser tells of it by itself. Nothing else is.
    expect(watched.errors.filter((text) => !text.includes("401"))).toEqual([]);
    expect(
      await page.evaluate("JSON.stringify(localStorage) + document.cookie + location.href"),
    ).not.toContain("right");

    await page.reload();
    await page.locator('#connection[data-state="live"]').waitFor();
    await page.getByRole("button", { name: "Forget the token" }).click();
    await field.waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
  });

  test("works from another machine, with the token", async ({ skip }) => {
    const address = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
    if (address === undefined) return skip("this machine has no address but its own");
    await using servers = await pair({}, { token: "right" });
    const listener = await listen(servers.app, { address: "0.0.0.0", port: 0, hasToken: true });
    try {
      await using watched = await open(browser, listener.origin.replace("0.0.0.0", address));
      await watched.page.getByLabel("Token", { exact: true }).fill("right");
      await watched.page.keyboard.press("Enter");
      await watched.page.getByText("No model is loaded.").waitFor();
    } finally {
      await listener.close(0);
    }
  });

  test("says when it is disconnected, and comes back by itself", async () => {
    await using servers = await pair();
    const first = await servers.listen();
    await using watched = await open(browser, first.origin);
    const { page } = watched;
    await first.close(0);
    await page
      .getByRole("status")
      .getByText(/^Disconnected\. The server .* What is shown is of/)
      .waitFor();
    await page.getByRole("button", { name: "Try again now" }).waitFor();

    const second = await listen(servers.app, { port: Number(new URL(first.origin).port) });
    try {
      await page.locator('#connection[data-state="live"]').waitFor();
      await (
        await servers.post("/api/chat", { model: "tiny", messages: user("hello"), stream: false })
      ).text();
      await page.locator("#panel-decisions tbody tr").waitFor();
      expect(await page.getByRole("status").first().textContent()).toBe("Live");
    } finally {
      await second.close(0);
    }
  });

  test("names that are written like HTML stay text", async () => {
    const hostile = `<img src=x onerror=alert(1)>"'\`</td><script>alert(2)</script>`;
    await using served = await serveActivity(hostile);
    const { activity, origin } = served;
    const begin = () => {
      const call = activity.begin({ model: hostile, surface: "openai", path: hostile });
      call.change({ templateId: hostile });
      return call;
    };
    begin();
    begin().end(outcome({ reason: hostile, errorCode: hostile, decisionId: hostile, reloaded: true }));
    await using watched = await open(browser, origin);
    const { page } = watched;

    for (const panel of ["Live requests", "Models", "Reloads", "Templates", "Decisions"]) {
      const cell = page.getByRole("region", { name: panel, exact: true }).getByText(hostile, { exact: true });
      await cell.first().waitFor({ state: "attached" });
    }
    await page.locator("#panel-decisions summary").last().click();
    expect(await page.locator("main img, main script, main td script").count()).toBe(0);
    expect(watched.dialogs).toEqual([]);
    expect(watched.foreign).toEqual([]);
  });

  test("a thousand events a second do not freeze it, and all are counted", async () => {
    await using served = await serveActivity();
    const { activity, origin } = served;
    await using watched = await open(browser, origin);
    const { page } = watched;
    // How late a timer comes: what a click would wait for.
    await page.evaluate(`
      globalThis.late = [];
      let last = performance.now();
      setInterval(() => { const now = performance.now(); late.push(now - last - 10); last = now; }, 10);
    `);
    const calls = 2_500;
    for (let ended = 0; ended < calls; ended += 25) {
      for (let call = 0; call < 25; call++) {
        const begun = activity.begin({ model: "tiny", surface: "ollama", path: "/api/chat" });
        begun.end(outcome({ reason: `call ${ended + call}` }));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await expect
      .poll(() => tile(page, "Live requests", "Calls").textContent(), { timeout: 10_000 })
      .toBe("2,500");
    const late = (await page.evaluate<number[]>("late")).sort((a, b) => a - b);
    console.log(
      `events at 1,000/s: a timer of the page came ${late[Math.floor(late.length / 2)]!.toFixed(1)} ms late (p50), ` +
        `${late[Math.floor(late.length * 0.99)]!.toFixed(0)} ms (p99), ${late.at(-1)!.toFixed(0)} ms (most)`,
    );
    // Wide bounds: the machine may be busy with other tests.
    expect(late[Math.floor(late.length / 2)]).toBeLessThan(50);
    expect(late.at(-1)).toBeLessThan(3_000);
    expect(watched.errors).toEqual([]);
  });

  test("can be paused for reading", async () => {
    await using served = await serveActivity();
    const { activity, origin } = served;
    await using watched = await open(browser, origin);
    const { page } = watched;
    const button = page.getByRole("button", { name: "Pause" });
    await button.click();
    expect(await button.getAttribute("aria-pressed")).toBe("true");
    activity.begin({ model: "tiny", surface: "ollama", path: "/api/chat" });
    await page.waitForTimeout(1_500);
    expect(await tile(page, "Live requests", "Running").textContent()).toBe("0");
    await button.click();
    await page.getByRole("row").filter({ hasText: "/api/chat" }).waitFor();
  });
});

/** The page and a stream of an activity of one's own: what no engine does on demand. */
async function serveActivity(
  name?: string,
): Promise<AsyncDisposable & { activity: Activity; origin: string }> {
  const activity = new Activity(Date.now, 8);
  const store = memoryStore();
  if (name !== undefined) {
    const fingerprints = {
      modelDigest: name,
      fingerprintVersion: name,
      systemId: null,
      workingWindow: 0,
      fingerprints: {},
    };
    const histograms = { promptTokens: {}, outputTokens: {}, totalMs: {} };
    const counts = { observations: 1, distanceSum: 0, censored: 0, errors: 0, ...histograms };
    void store.merge("templates", { id: name, scope: "task", ...fingerprints, counts });
  }
  const loaded =
    name === undefined ? [] : [{ model: name, numCtx: 1, sizeBytes: 1, vramBytes: 0, expiresAt: name }];
  const app = new Hono();
  addDashboard(app);
  app.get("/optimization/events", () => eventStream(activity, undefined));
  app.get("/optimization/models", () => Response.json({ upstream: "reachable", loaded, profiles: [] }));
  app.get("/optimization/templates", () => templates(store, new URLSearchParams()));
  app.get("/optimization/decisions", () => Response.json({ decisions: [], nextCursor: null }));
  const listener = await listen(app, { port: 0 });
  return { activity, origin: listener.origin, [Symbol.asyncDispose]: () => listener.close(0) };
}
