/** The page for those who use a keyboard, a screen reader, a small screen, or the dark. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Pair, pair, user } from "../support.js";
import { launch, open, program, readReports, SKIPPED } from "./browser.js";

let browser: Browser;
let servers: Pair;
let origin: string;
beforeAll(async () => {
  if (!program) return;
  browser = await launch();
  servers = await pair();
  for (const text of ["hello", "hello again"]) {
    await (await servers.post("/api/chat", { model: "tiny", messages: user(text), stream: false })).text();
  }
  ({ origin } = await servers.listen());
});
afterAll(async () => {
  await browser?.close();
  await servers?.[Symbol.asyncDispose]();
});

/** Who has the focus, as `role name`. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(`(() => {
    const element = document.activeElement;
    const name = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent;
    return element.tagName.toLowerCase() + " " + name.trim().slice(0, 40);
  })()`);

describe.skipIf(!program)(`the page for everybody${SKIPPED}`, () => {
  test("all that can be used is reached with the keyboard, in the order of the page, and the focus is seen", async () => {
    await using watched = await open(browser, origin);
    const { page } = watched;
    await page.locator("#panel-decisions tbody tr").first().waitFor();
    await readReports(page);
    const walk: string[] = [];
    for (let step = 0; step < 100; step++) {
      await page.keyboard.press("Tab");
      const name = await focused(page);
      // Behind the last one a browser goes to its own controls (seen as the body), or begins again at once.
      if (name.startsWith("body") || (name === walk[0] && step > 0)) break;
      walk.push(name);
      const outline = await page.evaluate(
        "parseFloat(getComputedStyle(document.activeElement).outlineWidth)",
      );
      expect(outline, name).toBeGreaterThanOrEqual(2);
    }
    expect(walk[0]).toBe("a Skip to the content");
    expect(walk).toContain("button Pause");
    expect(walk).toContain("select Theme");
    expect(walk).toContain("summary As a table");
    expect(walk).toContain("input Model, template, route or reason");
    expect(walk.at(-1)).toMatch(/^(summary|button|div) /);
    const usable = await page
      .locator("a[href], button, select, input, summary, [tabindex='0']")
      .filter({ visible: true })
      .count();
    // Of which the skip link is visible only with the focus.
    expect(walk.length).toBe(usable);

    await page.locator("#panel-decisions summary").first().focus();
    await page.keyboard.press("Enter");
    expect(await page.locator("#panel-decisions details[open]").count()).toBe(1);
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
  });

  test("its parts have roles and names", async () => {
    await using watched = await open(browser, origin);
    const { page } = watched;
    await page.locator("#panel-decisions tbody tr").first().waitFor();

    await readReports(page);

    expect(await page.evaluate("document.documentElement.lang")).toBe("en");
    expect(await page.title()).toBe("Ollama optimizer");
    for (const role of ["banner", "main"] as const) expect(await page.getByRole(role).count(), role).toBe(1);
    expect(await page.getByRole("navigation", { name: "Sections" }).count()).toBe(1);
    expect(await page.getByRole("heading", { level: 1 }).count()).toBe(1);
    const levels = await page.evaluate<number[]>(
      `[...document.querySelectorAll("h1, h2, h3")].filter((title) => title.offsetParent).map((title) => Number(title.tagName[1]))`,
    );
    for (const [index, level] of levels.entries())
      expect(level - (levels[index - 1] ?? 0)).toBeLessThanOrEqual(1);

    const unnamed = await page.evaluate<string[]>(`[
      ...[...document.querySelectorAll("table")].filter((table) => !table.caption?.textContent),
      ...[...document.querySelectorAll("th")].filter((head) => !head.scope),
      ...[...document.querySelectorAll("input, select")].filter((field) => !field.labels?.length),
      ...[...document.querySelectorAll("button, a, summary")].filter((control) => !control.textContent.trim()),
      ...[...document.querySelectorAll("[role=img], [role=region], section")].filter(
        (part) => !part.getAttribute("aria-label") && !document.getElementById(part.getAttribute("aria-labelledby")),
      ),
    ].map((element) => element.outerHTML.slice(0, 120))`);
    expect(unnamed).toEqual([]);
    const ids = await page.evaluate<string[]>(`[...document.querySelectorAll("[id]")].map(({ id }) => id)`);
    expect(ids).toEqual([...new Set(ids)]);
    for (const link of await page.getByRole("navigation").getByRole("link").all()) {
      expect(ids).toContain((await link.getAttribute("href"))!.slice(1));
    }
  });

  test("a chart says its figures, and shows them as a table", async () => {
    await using watched = await open(browser, origin);
    const latency = watched.page.getByRole("region", { name: "Latency", exact: true });
    const image = latency.getByRole("img").first();
    await expect
      .poll(() => image.getAttribute("aria-label"), { timeout: 10_000 })
      .toMatch(/^Response time: p50 [\d.]+ m?s, p90 [\d.]+ m?s, p99 [\d.]+ m?s at \d\d:\d\d:\d\d\./);
    expect(await image.locator("canvas").count()).toBe(1);

    await latency.getByText("As a table").first().click();
    await latency.getByRole("table", { name: "Response time" }).waitFor();
    expect(await latency.getByRole("columnheader").allTextContents()).toEqual(["Until", "p50", "p90", "p99"]);
  });

  test("it is dark where the system is, and as it was chosen otherwise, charts too", async () => {
    await using watched = await open(browser, origin, { colorScheme: "dark" });
    const { page } = watched;
    const ground = (): Promise<string> => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const picture = (): Promise<string> => page.evaluate("document.querySelector('canvas').toDataURL()");
    await page.locator("canvas").first().waitFor();
    expect(await ground()).toBe("rgb(15, 19, 24)");
    const dark = await picture();

    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(ground, { timeout: 10_000 }).toBe("rgb(244, 246, 248)");
    expect(await picture()).not.toBe(dark);

    await page.getByLabel("Theme").selectOption("dark");
    await expect.poll(ground, { timeout: 10_000 }).toBe("rgb(15, 19, 24)");
    await page.reload();
    await expect.poll(ground, { timeout: 10_000 }).toBe("rgb(15, 19, 24)");
  });

  test("on a narrow screen nothing is cut off and the page does not scroll sideways", async () => {
    await using watched = await open(browser, origin, { viewport: { width: 320, height: 640 } });
    const { page } = watched;
    await page.locator("#panel-decisions tbody tr").first().waitFor();

    await readReports(page);

    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
    const outside = await page.evaluate<string[]>(`[...document.querySelectorAll("header *, main *")]
      .filter((element) => !element.closest(".scroller, .visually-hidden") && element.getBoundingClientRect().right > 320.5)
      .map((element) => element.outerHTML.slice(0, 100))`);
    expect(outside).toEqual([]);
  });

  test("text can be twice as large", async () => {
    await using watched = await open(browser, origin, { viewport: { width: 640, height: 400 } });
    const { page } = watched;
    await readReports(page);
    await page.evaluate("void (document.documentElement.style.fontSize = '200%')");

    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(640);
  });

  test("nothing moves for those who asked for that", async () => {
    await using watched = await open(browser, origin, { reducedMotion: "reduce" });
    const moving = await watched.page.evaluate<string[]>(`[...document.querySelectorAll("*")]
      .filter((element) => {
        const style = getComputedStyle(element);
        return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0 || style.scrollBehavior === "smooth";
      })
      .map(({ tagName }) => tagName)`);
    expect(moving).toEqual([]);
  });
});
