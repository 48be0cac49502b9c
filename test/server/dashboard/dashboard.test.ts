import { expect, test } from "vitest";
import { pair } from "../support.js";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

test("a browser gets the page, every program Ollama's own answer", async () => {
  await using servers = await pair();
  const page = await servers.app.request("/", { headers: { accept: BROWSER } });

  expect(page.status).toBe(200);
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("vary")).toBe("accept");
  expect(await page.text()).toContain("<h1>Ollama optimizer</h1>");
  for (const headers of [{}, { accept: "*/*" }, { accept: "application/json" }] as Record<string, string>[]) {
    expect(await (await servers.app.request("/", { headers })).text()).toBe("Ollama is running");
  }
});

test("the page needs no token, what it shows does", async () => {
  await using servers = await pair({}, { token: "right" });
  const status = async (path: string, accept = "*/*") =>
    (await servers.app.request(path, { headers: { accept } })).status;

  expect(await status("/", BROWSER)).toBe(200);
  expect(await status("/optimization/dashboard/main.js")).toBe(200);
  expect(await status("/")).toBe(401);
  for (const path of ["events", "decisions", "models", "templates"]) {
    expect(await status(`/optimization/${path}`), path).toBe(401);
  }
});

test("the page of another site cannot have it under a name of its own", async () => {
  await using servers = await pair();
  const page = await servers.app.request("/", { headers: { accept: BROWSER, host: "evil.example" } });

  expect(page.status).toBe(403);
});

test("only this server's scripts and styles run, none within the page, in no frame", async () => {
  await using servers = await pair();
  const page = await servers.app.request("/", { headers: { accept: BROWSER } });
  const policy = page.headers.get("content-security-policy")!;

  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*|http/);
  const html = await page.text();
  expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:/);
});

test("every file that the page names is there, with its type", async () => {
  await using servers = await pair();
  const get = (path: string) => servers.app.request(path);
  const html = await (await servers.app.request("/", { headers: { accept: BROWSER } })).text();
  const paths = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map((match) => `/${match[1]}`);
  const panels = (await (await get("/optimization/dashboard/panels.json")).json()) as string[];
  expect(paths.length).toBeGreaterThan(4);
  expect(panels.length).toBeGreaterThan(5);

  const scripts = panels.map((name) => `/optimization/dashboard/${name}`);
  const seen = new Set<string>();
  for (const path of [...paths, ...scripts]) {
    const reply = await get(path);
    expect(reply.status, path).toBe(200);
    expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
    const type = reply.headers.get("content-type")!;
    expect(type, path).toMatch(
      path.endsWith(".css") ? /^text\/css/ : path.endsWith(".svg") ? /svg/ : /^text\/javascript/,
    );
    seen.add(path);
    for (const [, name] of (await reply.text()).matchAll(/^import .* from "(\.[^"]+)";$/gm)) {
      const imported = new URL(name!, `http://localhost${path}`).pathname;
      if (!seen.has(imported) && !scripts.includes(imported)) scripts.push(imported);
    }
  }
});

test("no path leads out of its folder", async () => {
  await using servers = await pair();
  for (const path of [
    "../dashboard.ts",
    "..%2fdashboard.ts",
    "%2e%2e/dashboard.ts",
    "/etc/passwd",
    "",
    "panels",
    "toString",
  ]) {
    expect((await servers.app.request(`/optimization/dashboard/${path}`)).status, path).toBe(404);
  }
  expect(servers.ollama.requests).toHaveLength(0);
});
