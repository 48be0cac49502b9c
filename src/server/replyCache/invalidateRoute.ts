/** `POST /optimization/cache/invalidate`: replies that shall not be given again. */
import type { Hono } from "hono";
import type { ServerContext } from "../options.js";
import { refused } from "../query.js";
import { jsonBody } from "../report/jsonBody.js";
import { readJsonBody } from "../requestBody.js";

const WANTED = '{"key": "..."}, {"pattern": "qwen3:8b/*"} or {"all": true}';

export function addInvalidateRoute(app: Hono, { cache, bodyLimitBytes }: ServerContext): void {
  app.post("/optimization/cache/invalidate", async ({ req }) => {
    const which = whichOf(await readJsonBody(req.raw, bodyLimitBytes));
    return Response.json({ removed: (await cache?.invalidate(which)) ?? 0 });
  });
}

/** A key or a pattern; undefined: all. @throws OptimizerError `OPTION_INVALID` */
function whichOf(bytes: Uint8Array): string | undefined {
  const { key, pattern, all, ...others } = jsonBody(bytes) ?? {};
  const [text, ...more] = [key, pattern, all].filter((value) => value !== undefined);
  if (more.length > 0 || Object.keys(others).length > 0) throw refused("body", WANTED);
  if (all === true) return undefined;
  if (typeof text === "string" && text !== "" && all === undefined) return text;
  throw refused("body", WANTED);
}
