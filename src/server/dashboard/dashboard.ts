/**
 * The page at `/` for people. Its files hold nothing of anybody's, so they need no token: a browser cannot send one
 * when it opens an address. What the page shows it fetches from the routes that ask for the token.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hono } from "hono";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json; charset=utf-8",
  svg: "image/svg+xml",
};

const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-cache",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * Adds the page. Programs that ask for `/` still get Ollama's own "Ollama is running": they do not name HTML among
 * what they accept.
 */
export function addDashboard(app: Hono): void {
  app.get("/", async ({ req }, next) => {
    if (req.header("accept")?.includes("text/html")) return file("index.html");
    await next();
    return undefined;
  });
  app.get("/optimization/dashboard/*", async ({ req }) =>
    file(req.path.replace(/^\/optimization\/dashboard\//, "")),
  );
}

function file(name: string): Response {
  const text = files().get(name);
  if (text === undefined) return Response.json({ error: "not found" }, { status: 404 });
  const type = TYPES[name.split(".").at(-1)!]!;
  const headers = { ...HEADERS, "content-type": type, ...(name === "index.html" && { vary: "accept" }) };
  return new Response(text, { headers });
}

let read: ReadonlyMap<string, string> | undefined;

/** Read when first asked for, all of them: what is not among them cannot be reached, whatever a path says. */
function files(): ReadonlyMap<string, string> {
  read ??= new Map([...ownFiles(), ...chartFiles()]);
  return read;
}

function ownFiles(): [name: string, text: string][] {
  const folder = fileURLToPath(new URL("page/", import.meta.url));
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => /\.(html|css|js|svg)$/.test(path));
  const panels = names.filter((name) => name.startsWith("panels/")).sort();
  return [
    ...names.map((name): [string, string] => [name, readFileSync(join(folder, name), "utf8")]),
    ["panels.json", JSON.stringify(panels)],
  ];
}

function chartFiles(): [name: string, text: string][] {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve("uplot"));
  return [
    ["uplot.js", readFileSync(join(folder, "uPlot.iife.min.js"), "utf8")],
    ["uplot.css", readFileSync(join(folder, "uPlot.min.css"), "utf8")],
  ];
}
