/**
 * Takes the README's pictures of the dashboard in Chromium, light and dark. Of what happens now: `serve` of the built
 * package before a real Ollama, after four minutes of calls of four kinds. Of the reports: the made log's last week.
 *
 *   npx tsdown && node scripts/dashboardPictures.mjs reports
 *   node scripts/ollama/serve.mjs --only 0.34.0 -- node scripts/dashboardPictures.mjs live [SECONDS]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Ollama } from "ollama";
import { chromium } from "playwright-core";
import { EntryCache } from "../dist/cache/index.js";
import { createServerApp, listen } from "../dist/server/index.js";
import { memoryStore } from "../dist/storage/index.js";
import { DAYS, HOUR, madeLog } from "./madeLog.mjs";

const root = join(import.meta.dirname, "..");
const pictures = join(root, "docs", "pictures");
const [which = "reports", seconds = "240"] = process.argv.slice(2);
const PAUSE_MS = 600;

mkdirSync(pictures, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  if (which === "live") await takeLive(1_000 * Number(seconds));
  else await takeReports();
} finally {
  await browser.close();
}

async function takeLive(lastsMs) {
  const upstream = process.env.OLLAMA_TEST_0_34;
  if (!upstream) throw new Error("OLLAMA_TEST_0_34 is not set: run this behind scripts/ollama/serve.mjs");
  const store = mkdtempSync(join(tmpdir(), "dashboard-pictures-"));
  const server = spawn(
    process.execPath,
    [join(root, "dist/cli/main.js"), "serve", "--port", "0", "--upstream", upstream, "--store", store],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  // Also when it is told to stop: its server would outlive it.
  process.once("exit", () => server.kill());
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  try {
    const origin = await addressOf(server);
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`${origin}/`);
    const calls = callFor(new Ollama({ host: origin }), Date.now() + lastsMs);
    await sleep(lastsMs - 30_000);
    for (const theme of ["light", "dark"]) {
      await page.getByLabel("Theme").selectOption(theme);
      await sleep(3_000);
      await page.locator("#panel-live-requests tbody tr").first().waitFor();
      await take(page, `dashboard-${theme}`);
    }
    console.log(`${await calls} calls`);
  } finally {
    server.kill("SIGTERM");
    await once(server, "exit");
    rmSync(store, { recursive: true, force: true });
  }
}

async function takeReports() {
  const store = memoryStore();
  // Its last Friday is today.
  const today = Date.now() - (Date.now() % (24 * HOUR));
  for (const call of madeLog(today - (DAYS - 3) * 24 * HOUR)) {
    if (Date.parse(call.at) < Date.now()) await store.append(call);
  }
  const cache = new EntryCache({ maxEntries: 2_000 });
  for (let asked = 0; asked < 1_600; asked++) {
    const key = String((asked * 7_919) % 1_250);
    if (!(await cache.get(key))) await cache.set(key, "a reply of some length");
  }
  const prices = {
    currency: "EUR",
    electricity: { watts: 320, perKilowattHour: 0.31 },
    hosted: { "a hosted list": { inputPer1k: 0.0015, outputPer1k: 0.006 } },
  };
  const app = createServerApp({ upstream: "http://127.0.0.1:9", store, reporting: { cache, prices } });
  const listener = await listen(app, { port: 0 });
  try {
    for (const colorScheme of ["light", "dark"]) {
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme });
      await page.goto(`${listener.origin}/`);
      for (const panel of ["report", "calls-by-model", "anomalies", "caches", "costs"]) {
        const content = page.locator(`#panel-${panel} > div > div`).first();
        while (!(await content.isVisible())) {
          await page.locator(`#panel-${panel}`).scrollIntoViewIfNeeded();
          await sleep(200);
        }
      }
      for (const [name, first, last] of [
        ["report", "report", "calls-by-model"],
        ["costs", "anomalies", "costs"],
      ]) {
        // As high as these panels, below the header.
        await page.setViewportSize({ width: 1280, height: 2400 });
        await page.locator(`#panel-${first}`).evaluate((panel) => panel.scrollIntoView());
        await sleep(3_000);
        const top = await page.locator(`#panel-${first}`).boundingBox();
        const bottom = await page.locator(`#panel-${last}`).boundingBox();
        const height = Math.ceil(bottom.y + bottom.height - top.y) + 32;
        await take(page, `dashboard-${name}-${colorScheme}`, { x: 0, y: top.y - 16, width: 1280, height });
      }
      await page.close();
    }
  } finally {
    await listener.close(0);
  }
}

/**
 * @param {string} name without its ending
 * @param clip absent: all that is in sight
 */
async function take(page, name, clip) {
  const path = join(pictures, `${name}.png`);
  await page.screenshot({ path, clip });
  console.log(`${path}: ${Math.round(statSync(path).size / 1000)} kB`);
}

/** @returns {Promise<string>} what it says that it listens at */
async function addressOf(child) {
  for await (const line of createInterface(child.stdout)) {
    const origin = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (origin) return origin;
  }
  throw new Error("serve ended before it listened");
}

/** Two callers with four kinds of prompts, some long enough for a larger window. */
async function callFor(client, until) {
  const sentence = (count) => "The order came late and one of the two cups was broken. ".repeat(count);
  const kinds = [
    (turn) => ["random-qwen", "You sort letters to a shop by their subject.", sentence(2 + (turn % 5))],
    (turn) => [
      "random-qwen",
      "You write a short summary of what you are given.",
      sentence(40 + 8 * (turn % 7)),
    ],
    (turn) => ["random-llama3", "You answer a customer with one polite sentence.", sentence(4 + (turn % 9))],
    (turn) => [
      "random-qwen",
      "You draw the names and dates out of a text.",
      sentence(turn % 40 === 39 ? 300 : 12),
    ],
  ];
  let calls = 0;
  const caller = async (first) => {
    for (let turn = first; Date.now() < until; turn += 2) {
      const [model, system, prompt] = kinds[turn % kinds.length](turn);
      const messages = [
        { role: "system", content: system },
        { role: "user", content: `${prompt} It was order ${turn}.` },
      ];
      const stream = await client.chat({
        model,
        messages,
        stream: true,
        options: { num_predict: 24 + (turn % 5) * 12 },
      });
      for await (const _ of stream);
      calls++;
      await sleep(PAUSE_MS);
    }
  };
  await Promise.all([caller(0), caller(1)]);
  return calls;
}
