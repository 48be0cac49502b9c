/** What the optimizer does and knows: decisions, models, templates, exact token counts, metrics, and all of it live. */
import type { Context, Hono } from "hono";
import { decisions } from "./decisionsRoute.js";
import { type AlertSource, eventStream } from "./eventStream.js";
import { CallMetrics } from "./metrics/callMetrics.js";
import { models } from "./modelsRoute.js";
import { OPENAPI_DOCUMENT } from "./openapi/document.js";
import type { ServerContext } from "./options.js";
import { readJsonBody } from "./requestBody.js";
import { templates } from "./templatesRoute.js";
import { tokenize } from "./tokenizeRoute.js";

const PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

export function addOptimizationRoutes(app: Hono, context: ServerContext, alerts: AlertSource): void {
  const { activity, cache, store, bodyLimitBytes } = context;
  const metrics = new CallMetrics(activity, cache?.entries.tally);
  app.get("/metrics", () => new Response(metrics.text(), { headers: { "content-type": PROMETHEUS } }));
  app.get("/openapi.json", () => Response.json(OPENAPI_DOCUMENT));
  app.get("/optimization/events", ({ env, req }) => {
    const reply = eventStream(activity, stoppingOf(env), alerts);
    // Nobody reads it, and nobody would end it.
    if (req.method === "HEAD") void reply.body?.cancel();
    return reply;
  });
  app.get("/optimization/decisions", ({ req }) => decisions(store, queryOf(req.raw)));
  app.get("/optimization/models", () => models(context));
  app.get("/optimization/templates", ({ req }) => templates(store, queryOf(req.raw)));
  app.post("/optimization/tokenize", async ({ req }) =>
    tokenize(context, await readJsonBody(req.raw, bodyLimitBytes)),
  );
}

function queryOf(request: Request): URLSearchParams {
  return new URL(request.url).searchParams;
}

/** Told by the listener (`listen.ts`); an application that nobody listens for ends with its process. */
function stoppingOf(env: Context["env"]): AbortSignal | undefined {
  return (env as { stopping?: AbortSignal } | undefined)?.stopping;
}
