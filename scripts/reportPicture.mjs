/**
 * Takes the README's picture of the report, of the made log.
 *
 *   npx tsdown && node scripts/reportPicture.mjs
 */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { reportHtml, reportOf } from "../dist/analysis/index.js";
import { DAYS, HOUR, madeLog } from "./madeLog.mjs";

/** A Monday. */
const START = Date.UTC(2026, 9, 26);
const pictures = join(import.meta.dirname, "..", "docs", "pictures");

const report = await reportOf(madeLog(START), {
  now: START + DAYS * 24 * HOUR + 5 * HOUR,
  title: "Optimization report",
  timeZone: "Europe/Berlin",
  caches: [{ name: "exact", size: 412, maxSize: 1000, hits: 1180, misses: 3020, timeSavedMs: 2_240_000 }],
  applied: [
    {
      type: "cacheTtl",
      action: "Cache entries live 4 h instead of 1 h",
      at: new Date(START + 9 * 24 * HOUR).toISOString(),
      reason: "Entries were asked for again after 2 h in the median",
      outcome: "kept",
    },
  ],
  prices: {
    currency: "EUR",
    electricity: { watts: 320, perKilowattHour: 0.31 },
    hosted: { "a hosted list": { inputPer1k: 0.15, outputPer1k: 0.6 } },
  },
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  mkdirSync(pictures, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ viewport: { width: 820, height: 1700 }, colorScheme });
    await page.setContent(reportHtml(report));
    const path = join(pictures, `report-${colorScheme}.png`);
    await page.screenshot({ path });
    console.log(`${path}: ${Math.round(statSync(path).size / 1000)} kB`);
  }
} finally {
  await browser.close();
}
