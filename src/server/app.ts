/** The server as an application: a Request in, a Response out. Listening is elsewhere (`listen.ts`). */
import { isAbsolute } from "node:path";
import { Hono } from "hono";
import { nodeTransport, readBody } from "../backend/transport.js";
import { Engine } from "../engine/engine.js";
import { silentLogger } from "../logger.js";
import { failureOf, isAbort, nameOfFailure } from "./failure.js";
import { hasToken, isTrustedHost, isTrustedOrigin } from "./guard.js";
import { addOllamaRoutes } from "./ollamaRoutes.js";
import { DEFAULT_BODY_LIMIT_BYTES, type ServerAppOptions, type ServerContext } from "./options.js";

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
  const context = contextOf(options);
  const app = new Hono();

  app.use(async ({ req }, next) => {
    const host = req.header("host") ?? new URL(req.url).host;
    if (!isTrustedHost(host, hosts)) return refused(403, "this host name is not allowed");
    if (!isTrustedOrigin(req.header("origin"), hosts)) return refused(403, "this origin is not allowed");
    if (options.token !== undefined && !hasToken(req.header("authorization"), options.token)) {
      return refused(401, "the token is missing or wrong", { "www-authenticate": "Bearer" });
    }
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

  addOllamaRoutes(app, context, options.allowAdmin ?? false);

  app.onError((error) => {
    const failure = failureOf(error);
    if (!isAbort(error)) logger.warn(`server: answered ${failure.status} (${nameOfFailure(error)})`);
    return new Response(failure.body, {
      status: failure.status,
      headers: { "content-type": "application/json; charset=utf-8" },
    });
  });
  return app;
}

function contextOf(options: ServerAppOptions): ServerContext {
  const { store, logger } = options;
  const tokenizerFolder = isAbsolute(store.location) ? store.location : null;
  return {
    engine: options.engine ?? new Engine({ store, logger, tokenizerFolder }),
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
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const basic = { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
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

function refused(status: number, error: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers });
}
