/** The server as an application: a Request in, a Response out. Listening is elsewhere (`listen.ts`). */
import { isAbsolute } from "node:path";
import { Hono, type HonoRequest } from "hono";
import { cors } from "hono/cors";
import type { Gate } from "../autopilot/index.js";
import { basicCredentials, nodeTransport, readBody } from "../backend/transport.js";
import { EntryCache } from "../cache/index.js";
import { Engine } from "../engine/engine.js";
import { steadyNow } from "../engine/steadyClock.js";
import { silentLogger } from "../logger.js";
import { Activity } from "./activity.js";
import { callEngine } from "./callEngine.js";
import { noteClient } from "./client.js";
import { addDashboard } from "./dashboard/dashboard.js";
import { forgetExchange, markBare } from "./exchange.js";
import { type Failure, failureOf, isAbort, nameOfFailure } from "./failure.js";
import { hasToken, isTrustedHost, isTrustedOrigin } from "./guard.js";
import { addOllamaRoutes } from "./ollamaRoutes.js";
import { FORBIDDEN, isOpenAiPath, openAiFailure, WRONG_KEY } from "./openai/failure.js";
import { addOpenAiRoutes } from "./openai/routes.js";
import { addOptimizationRoutes } from "./optimizationRoutes.js";
import {
  DEFAULT_BODY_LIMIT_BYTES,
  DEFAULT_MAX_WAIT_MS,
  DEFAULT_MAX_WAITING,
  type ServerAppOptions,
  type ServerContext,
} from "./options.js";
import { addInvalidateRoute } from "./replyCache/invalidateRoute.js";
import { ReplyCache } from "./replyCache/replyCache.js";
import { addReportRoutes } from "./report/routes.js";
import { gated, watchOf } from "./report/watch.js";
import { Turns } from "./turns.js";

const HEALTH_TIMEOUT_MS = 2_000;

/**
 * Ollama's API with the window decided.
 *
 * @example
 * const app = createServerApp({ upstream: "http://127.0.0.1:11434", store: memoryStore() });
 * const reply = await app.fetch(new Request("http://localhost/api/chat", { method: "POST", body }));
 */
export function createServerApp(options: ServerAppOptions): Hono {
  const logger = options.logger ?? silentLogger;
  const hosts = options.hosts ?? [];
  const entries = options.cache ? new EntryCache({ logger, ...options.cache }) : null;
  const watch = watchOf(options, entries);
  const context = contextOf(options, watch.gate, entries);
  const app = new Hono();
  markBare(app);

  app.use(async ({ req }, next) => {
    if (!isTrustedHost(hostOf(req), hosts)) return forbidden(req.path, "this host name is not allowed");
    await next();
    return undefined;
  });

  // Before the token is asked for: a browser has none to send when it opens an address. And before the origin:
  // Chromium names it even for a script of the page's own, which may come from an address that is not trusted.
  addDashboard(app);

  // Pages that may ask may read the reply too, as Ollama lets them: a browser asks before, without a token.
  const readable = cors({ origin: (page) => page, exposeHeaders: ["*"] });
  app.use((asked, next) => {
    const page = asked.req.header("origin");
    if (!isTrustedOrigin(page, hosts, hostOf(asked.req)))
      return Promise.resolve(forbidden(asked.req.path, "this origin is not allowed"));
    if (page === undefined) return next();
    // Its headers are put on a Response.
    forgetExchange(asked.req.raw);
    return readable(asked, next);
  });

  app.use(async (asked, next) => {
    if (options.token !== undefined && !hasToken(asked.req.header("authorization"), options.token)) {
      const error = isOpenAiPath(asked.req.path) ? WRONG_KEY : "the token is missing or wrong";
      return refused(401, error, { "www-authenticate": "Bearer" });
    }
    noteClient(asked);
    await next();
    return undefined;
  });

  app.get("/health", async () => {
    const isUp = await answers(context);
    return Response.json(
      { status: isUp ? "ok" : "unhealthy", upstream: isUp ? "reachable" : "unreachable" },
      { status: isUp ? 200 : 503 },
    );
  });

  addOptimizationRoutes(app, context, watch.alerts);
  addReportRoutes(app, context, watch);
  addInvalidateRoute(app, context);
  addOpenAiRoutes(app, context);
  addOllamaRoutes(app, context, options.allowAdmin ?? false);

  app.onError((error, { req }) => {
    const failure = isOpenAiPath(req.path) ? openAiFailure(error) : failureOf(error);
    if (!isAbort(error)) logger.warn(`server: answered ${failure.status} (${nameOfFailure(error)})`);
    return new Response(failure.body, { status: failure.status, headers: headersOf(failure) });
  });
  return app;
}

/** What a request was sent to. */
function hostOf(req: HonoRequest): string {
  return req.header("host") ?? new URL(req.url).host;
}

function headersOf({ retryAfterSeconds }: Failure): Record<string, string> {
  return {
    "content-type": "application/json; charset=utf-8",
    ...(retryAfterSeconds !== null && { "retry-after": String(retryAfterSeconds) }),
  };
}

function contextOf(options: ServerAppOptions, gate: Gate, entries: EntryCache | null): ServerContext {
  const { store, logger, maxWaiting = DEFAULT_MAX_WAITING, maxWaitMs = DEFAULT_MAX_WAIT_MS } = options;
  const tokenizerFolder = isAbsolute(store.location) ? store.location : null;
  const engine = options.engine ?? new Engine({ store, logger, tokenizerFolder });
  const activity = new Activity(steadyNow, maxWaiting);
  const turns = new Turns({ maxWaiting, maxWaitMs }, steadyNow, (waiting) => activity.queueChanged(waiting));
  const calls = gated(callEngine(engine, turns, activity, steadyNow), gate);
  return {
    engine: calls,
    activity,
    cache: entries && new ReplyCache(entries, { logger, ...options.cache }, calls, activity),
    store,
    ...withoutCredentials(options.upstream, options.upstreamHeaders),
    transport: options.transport ?? nodeTransport,
    bodyLimitBytes: options.bodyLimitBytes ?? DEFAULT_BODY_LIMIT_BYTES,
    override: options.override ?? false,
    onOverflow: options.onOverflow ?? "error",
  };
}

/** Errors name the address, and clients read them: its credentials go into a header instead. */
function withoutCredentials(
  upstream: string,
  headers: Readonly<Record<string, string>> = {},
): Pick<ServerContext, "origin" | "headers"> {
  const url = new URL(upstream);
  const basic = { authorization: basicCredentials(url) };
  const has = url.username !== "";
  url.username = "";
  url.password = "";
  return { origin: url.href.replace(/\/+$/, ""), headers: has ? { ...basic, ...headers } : headers };
}

async function answers({ origin, headers, transport }: ServerContext): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
    const reply = await transport(`${origin}/api/version`, { headers, signal });
    await readBody(reply);
    return reply.status === 200;
  } catch {
    return false;
  }
}

function forbidden(path: string, message: string): Response {
  return refused(403, isOpenAiPath(path) ? { ...FORBIDDEN, message } : message);
}

function refused(status: number, error: unknown, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers });
}
