/** Debian's Chromium, driven by playwright-core; what a page must never do is watched on every page. */
import { existsSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

export const program: string | undefined = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== undefined && existsSync(path));

export const SKIPPED = program ? "" : " (skipped: no Chromium; scripts/chromium.sh installs it)";

export function launch(): Promise<Browser> {
  // CI runs as root, where its sandbox does not start.
  return chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] });
}

export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Console errors and uncaught exceptions. */
  readonly errors: string[];
  /** Addresses asked beyond the page's own origin. */
  readonly foreign: string[];
  /** Whether an alert or the like appeared. */
  readonly dialogs: string[];
}

/** Opens the dashboard and waits until it is connected, or asks for its token. */
export async function open(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  // Shorter than a test's: what was waited for is named then.
  page.setDefaultTimeout(15_000);
  const errors: string[] = [];
  const foreign: string[] = [];
  const dialogs: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => !request.url().startsWith(`${origin}/`) && foreign.push(request.url()));
  page.on("dialog", (dialog) => {
    dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  await page.goto(`${origin}/`);
  await page.locator('#connection[data-state="live"], #connection[data-state="locked"]').waitFor();
  return { page, errors, foreign, dialogs, [Symbol.asyncDispose]: () => context.close() };
}

const REPORTS = ["report", "calls-by-model", "anomalies", "caches", "costs"];

/** Goes down to each panel that is read when it is in sight, and waits until it is. */
export async function readReports(page: Page): Promise<void> {
  for (const name of REPORTS) {
    const panel = page.locator(`#panel-${name}`);
    const content = panel.locator("> div > div").first();
    for (let tries = 0; !(await content.isVisible()); tries++) {
      if (tries > 150) throw new Error(`${name} was not read: ${await panel.textContent()}`);
      // Again: what is above it may have grown.
      await panel.scrollIntoViewIfNeeded();
      await page.waitForTimeout(100);
    }
  }
}
