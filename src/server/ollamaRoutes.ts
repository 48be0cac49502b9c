/** Ollama's own API: chat and generate decided, side calls with the loaded options, the rest byte for byte. */
import type { Hono } from "hono";
import type { WireRequest } from "../backend/wire.js";
import type { EngineChunk, EngineReply } from "../engine/types.js";
import { UNTOLD } from "./activity.js";
import { answer } from "./answer.js";
import { sendDecided } from "./decidedCall.js";
import { exchangeOf } from "./exchange.js";
import { codeOfFailure, failureOf, isAbort } from "./failure.js";
import {
  generatingCall,
  isPreload,
  isRendering,
  type OllamaPath,
  requestOf,
  withoutWindow,
} from "./ollamaCall.js";
import type { ServerContext } from "./options.js";
import { bodyToSendOn, passThrough } from "./passThrough.js";
import { readJsonBody } from "./requestBody.js";

/** Routes that only read. All others change models or accounts, fetch from elsewhere, or are not known. */
const READING = new Set([
  "GET /",
  "HEAD /",
  "GET /api/version",
  "HEAD /api/version",
  "GET /api/tags",
  "HEAD /api/tags",
  "GET /api/ps",
  "POST /api/show",
]);
/** This server's own: never sent on, whatever is allowed. */
const OWN = /^\/(v1|optimization|health|metrics|openapi\.json)(\/|$)/;

export function addOllamaRoutes(app: Hono, context: ServerContext, allowAdmin: boolean): void {
  for (const path of ["/api/chat", "/api/generate"] as const) {
    app.post(path, async ({ req }) => generating(context, path, req.raw));
  }
  for (const path of ["/api/embed", "/api/embeddings"]) {
    app.post(path, async ({ req }) => embedding(context, req.raw));
  }
  app.all("*", async ({ req }) => {
    const { method, url } = req.raw;
    const { pathname } = new URL(url);
    if (OWN.test(pathname)) return notOurs(app, pathname);
    if (!allowAdmin && !READING.has(`${method} ${pathname}`)) {
      return Response.json(
        { error: "this route is not allowed; start the server with --allow-admin" },
        { status: 403 },
      );
    }
    // Ollama takes files by this route alone, of any size; their digest is in the path.
    const limit = pathname.startsWith("/api/blobs/") ? Number.POSITIVE_INFINITY : context.bodyLimitBytes;
    const reply = await passThrough(context, req.raw, await bodyToSendOn(req.raw, limit));
    // Models may have been made anew or unloaded.
    if (allowAdmin && method !== "GET" && method !== "HEAD") {
      context.engine.lookAgain(context.origin);
      context.cache?.lookAgain();
    }
    return reply;
  });
}

/** Not found, or not by this method. */
function notOurs(app: Hono, pathname: string): Response {
  const methods = app.routes
    .filter(({ path, method }) => path === pathname && method !== "ALL")
    .map(({ method }) => method);
  return methods.length === 0
    ? Response.json({ error: "not found" }, { status: 404 })
    : Response.json({ error: "not by this method" }, { status: 405, headers: { allow: methods.join(", ") } });
}

async function generating(context: ServerContext, path: OllamaPath, request: Request): Promise<Response> {
  const bytes = await bodyOf(context, request);
  const asked = requestOf(bytes);
  const call = asked && generatingCall(asked);
  if (!call) return passThrough(context, request, bytes);
  const body = context.override ? withoutWindow(call) : call;
  const answersNothing = isPreload(path, body) || isRendering(body);
  return answersNothing ? sideCall(context, request, body) : decided(context, path, request, body);
}

async function embedding(context: ServerContext, request: Request): Promise<Response> {
  const bytes = await bodyOf(context, request);
  const asked = requestOf(bytes);
  const call = asked && generatingCall(asked);
  if (!call) return passThrough(context, request, bytes);
  return sideCall(context, request, context.override ? withoutWindow(call) : call);
}

/** With the loaded runner's exact options below the client's own: leaving one out would reload it. */
async function sideCall(context: ServerContext, request: Request, body: WireRequest): Promise<Response> {
  const { engine, origin, activity } = context;
  const tracked = activity.begin({
    model: body.model,
    surface: "ollama",
    path: new URL(request.url).pathname,
  });
  try {
    const loaded = await engine.loadedOptions(context, body.model).catch(() => null);
    const sent = loaded ? { ...body, options: { ...loaded, ...body.options } } : body;
    const reply = await passThrough(context, request, JSON.stringify(sent));
    if (!loaded || body.keep_alive !== undefined || body.options) engine.lookAgain(origin);
    // Behind a socket the reply went there, and what is returned only says so.
    const status = exchangeOf(request)?.outgoing.statusCode ?? reply.status;
    tracked.end({ ...UNTOLD, status, errorCode: status < 400 ? null : "SERVER_ERROR" });
    return reply;
  } catch (error) {
    tracked.end({ ...UNTOLD, status: failureOf(error).status, errorCode: codeOfFailure(error) });
    throw error;
  }
}

async function decided(
  context: ServerContext,
  path: OllamaPath,
  request: Request,
  body: WireRequest,
): Promise<Response> {
  const { reply, upstream, headers: decision } = await sendDecided(context, request, { path, body });
  const { "content-type": contentType } = reply.headers;
  const headers = contentType ? { "content-type": contentType, ...decision } : decision;
  const { status } = reply;
  if (body.stream !== false) {
    return answer(request, { status, headers, body: { parts: lines(reply), upstream } });
  }
  // One object without a line break; an error behind it can still become the status.
  let whole = "";
  for await (const { raw } of reply.chunks) whole += raw;
  return answer(request, { status, headers, body: whole });
}

/** The server's lines as they came. What fails on the way becomes an error line, as Ollama writes it. */
async function* lines(reply: Pick<EngineReply, "chunks">): AsyncGenerator<string> {
  try {
    for await (const { raw } of reply.chunks as AsyncIterable<EngineChunk>) yield `${raw}\n`;
  } catch (error) {
    if (isAbort(error)) throw error;
    yield `${failureOf(error).body}\n`;
  }
}

function bodyOf(context: ServerContext, request: Request): Promise<Uint8Array> {
  return readJsonBody(request, context.bodyLimitBytes);
}
