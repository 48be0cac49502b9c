/**
 * Takes the README's pictures of the dashboard: `serve` of the built package before a real Ollama, four minutes of
 * calls of four kinds, then the page in Chromium, light and dark.
 *
 *   npx tsdown && node scripts/ollama/serve.mjs --only 0.34.0 -- node scripts/dashboardPictures.mjs [SECONDS]
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

const root = join(import.meta.dirname, "..");
const pictures = join(root, "docs", "pictures");
const upstream = process.env.OLLAMA_TEST_0_34;
if (!upstream) throw new Error("OLLAMA_TEST_0_34 is not set: run this behind scripts/ollama/serve.mjs");
const lastsMs = 1_000 * Number(process.argv[2] ?? 240);
const PAUSE_MS = 600;

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
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`${origin}/`);
    const calls = callFor(new Ollama({ host: origin }), Date.now() + lastsMs);
    await sleep(lastsMs - 10_000);
    mkdirSync(pictures, { recursive: true });
    for (const theme of ["light", "dark"]) {
      await page.getByLabel("Theme").selectOption(theme);
      await sleep(3_000);
      await page.locator("#panel-live-requests tbody tr").first().waitFor();
      const path = join(pictures, `dashboard-${theme}.png`);
      await page.screenshot({ path });
      console.log(`${path}: ${Math.round(statSync(path).size / 1000)} kB`);
    }
    console.log(`${await calls} calls`);
  } finally {
    await browser.close();
  }
} finally {
  server.kill("SIGTERM");
  await once(server, "exit");
  rmSync(store, { recursive: true, force: true });
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
