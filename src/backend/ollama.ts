/** Questions to an Ollama server. Each rejects with {@link UpstreamError}. */
import type { RunnerOptions } from "../records.js";
import { jsonParts } from "./jsonParts.js";
import { unreachable, upstreamError } from "./refusal.js";
import { readBody, type Transport, type WireReply } from "./transport.js";
import type { WireLoadedModel, WireModel, WireRequest, WireShow } from "./wire.js";

/** Where a server is and how to reach it. */
export interface ServerAddress {
  /** Without a trailing slash. */
  readonly origin: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly transport: Transport;
}

/** Posts JSON; resolves with the reply whatever its status. */
export async function post(
  server: ServerAddress,
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<WireReply> {
  return reach(server, path, {
    method: "POST",
    headers: { "content-type": "application/json", ...server.headers },
    body: await jsonParts(body),
    signal,
  });
}

async function reach(
  server: ServerAddress,
  path: string,
  init: Parameters<Transport>[1],
): Promise<WireReply> {
  try {
    return await server.transport(server.origin + path, init);
  } catch (error) {
    if (init?.signal?.aborted) throw init.signal.reason;
    throw unreachable(server.origin, error);
  }
}

async function bytes(reply: WireReply, model: string): Promise<Uint8Array> {
  const body = await readBody(reply);
  if (reply.status >= 400) throw upstreamError(reply.status, new TextDecoder().decode(body), model);
  return body;
}

async function json<T>(reply: WireReply, model: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await bytes(reply, model))) as T;
}

async function get<T>(server: ServerAddress, path: string, signal?: AbortSignal): Promise<T> {
  const reply = await reach(server, path, { headers: { ...server.headers }, signal });
  try {
    return await json<T>(reply, "");
  } catch (error) {
    // Every Ollama has these routes.
    if (reply.status !== 404 && !(error instanceof SyntaxError)) throw error;
    throw unreachable(server.origin, { code: "what answers there is no Ollama" });
  }
}

/** The server's version (`/api/version`); builds from source say "0.0.0". */
export async function serverVersion(server: ServerAddress, signal?: AbortSignal): Promise<string> {
  return (await get<{ version: string }>(server, "/api/version", signal)).version;
}

/** What is loaded now (`/api/ps`). */
export async function loadedModels(server: ServerAddress, signal?: AbortSignal): Promise<WireLoadedModel[]> {
  return (await get<{ models: WireLoadedModel[] | null }>(server, "/api/ps", signal)).models ?? [];
}

/** What is installed (`/api/tags`); its digest counts, also after a model was made anew. */
export async function installedModels(server: ServerAddress, signal?: AbortSignal): Promise<WireModel[]> {
  return (await get<{ models: WireModel[] | null }>(server, "/api/tags", signal)).models ?? [];
}

/** A model's facts; loads nothing. */
export async function show(server: ServerAddress, model: string, signal?: AbortSignal): Promise<WireShow> {
  return json<WireShow>(await post(server, "/api/show", { model }, signal), model);
}

/** A model's facts with its tokenizer, 4 MB and more: as they come, since joining and parsing them blocks for 0.1 s. */
export async function showTokenizer(
  server: ServerAddress,
  model: string,
  signal?: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const reply = await post(server, "/api/show", { model, verbose: true }, signal);
  if (reply.status >= 400) await bytes(reply, model);
  return reply.body;
}

/**
 * The prompt as the engine would get it (`_debug_render_only`, undocumented; on 0.24.0 and 0.34.0). Loads the
 * model, and reloads it unless `options` are exactly those of the loaded runner.
 *
 * @returns null where the server does not know the field
 */
export async function renderPrompt(
  server: ServerAddress,
  request: Pick<WireRequest, "model" | "messages" | "tools" | "think">,
  options: RunnerOptions,
  signal?: AbortSignal,
): Promise<string | null> {
  const body = { ...request, options, stream: false, truncate: false, _debug_render_only: true };
  const reply = await json<{ _debug_info?: { rendered_template?: string } }>(
    await post(server, "/api/chat", body, signal),
    request.model,
  );
  return reply._debug_info?.rendered_template ?? null;
}

/** The weights' blob of a model, from its Modelfile's FROM line; null for remote models. */
export function blobOf(facts: WireShow): string | null {
  return /^FROM .*sha256[-:]([0-9a-f]{64})/m.exec(facts.modelfile ?? "")?.[1] ?? null;
}

/** Trained window in tokens, from `<architecture>.context_length`. */
export function trainedNumCtx(facts: WireShow): number | null {
  const architecture = facts.model_info?.["general.architecture"];
  const value = facts.model_info?.[`${String(architecture)}.context_length`];
  return typeof value === "number" && value > 0 ? value : null;
}

/** `num_ctx` and `num_batch` of the Modelfile, which count as sent when the request leaves them out. */
export function modelfileOptions(facts: WireShow): RunnerOptions {
  const options: Record<string, number> = {};
  for (const line of (facts.parameters ?? "").split("\n")) {
    const [, key, value] = /^(num_ctx|num_batch|num_gpu|main_gpu|num_thread)\s+(-?\d+)\s*$/.exec(line) ?? [];
    if (key && value) options[key] = Number.parseInt(value, 10);
  }
  return options;
}
