/**
 * HTTP as a local model server needs it: no header timeout (`/api/chat` answers only after the load, and
 * Node's fetch gives up after 300 s), sockets kept alive, the signal reaches the socket of this call only.
 */
import http from "node:http";
import https from "node:https";
import { pipeline } from "node:stream/promises";

/** A request as it goes out. */
export interface WireInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * A long one in parts. A stream is sent as it comes, and never again; give a `content-length` where it is known.
   */
  readonly body?: string | Uint8Array | readonly Uint8Array[] | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

/** A reply whose body has not been read yet; leaving the iteration early closes the socket. */
export interface WireReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * Says that nothing more is wanted because all has come: leaving the iteration then keeps the connection for the next
   * request. A new one costs 0.3 ms on this machine and a handshake elsewhere.
   */
  readonly release?: () => void;
}

/** A server that does not end a reply within this, once all of it was told, loses the connection. */
const END_MS = 1_000;

/** How a request reaches a server. Rejects with the socket's error, or with the signal's reason. */
export type Transport = (url: string, init?: WireInit) => Promise<WireReply>;

const AGENT_OPTIONS = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, scheduling: "lifo" } as const;
const agents = { http: new http.Agent(AGENT_OPTIONS), https: new https.Agent(AGENT_OPTIONS) };

/**
 * The default transport, over node:http. A request on a kept socket that the server had just closed is sent
 * once more (Node's documented pattern: `reusedSocket` and ECONNRESET before any reply).
 */
export const nodeTransport: Transport = (url, init = {}) => {
  const target = new URL(url);
  const secure = target.protocol === "https:";
  const { body: sent } = init;
  const stream = isStream(sent) ? sent : null;
  const parts = isStream(sent) ? [] : partsOf(sent);
  const headers: Record<string, string | number> = { ...init.headers };
  if (sent && !stream)
    headers["content-length"] = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  const to = {
    // Not the URL itself: making options of it costs Node 8 µs a call.
    host: target.hostname.replace(/^\[|\]$/g, ""),
    port: target.port,
    path: target.pathname + target.search,
    method: init.method ?? "GET",
    headers,
    agent: secure ? agents.https : agents.http,
  };
  if (target.username) {
    headers.authorization = basicCredentials(target);
  }

  return new Promise((resolve, reject) => {
    const { signal } = init;
    if (signal?.aborted) return reject(signal.reason);

    const attempt = (again: boolean): void => {
      let failure: unknown = null;
      const request = (secure ? https : http).request(to);
      const abort = (): void => {
        // Once the reply is whole Node takes its own listener off the socket: an abort between that and the close, as
        // LangChain's event streams end every call, would be an error that nobody hears and end the program.
        request.socket?.once("error", () => {});
        request.destroy(abortError(signal?.reason));
      };
      signal?.addEventListener("abort", abort, { once: true });
      request.on("response", (response) => {
        response.once("close", () => signal?.removeEventListener("abort", abort));
        let isComplete = false;
        resolve({
          status: response.statusCode ?? 0,
          headers: flat(response.headers),
          body: bodyOf(response, signal, () => isComplete),
          release: () => {
            isComplete = true;
          },
        });
      });
      request.on("error", (error: NodeJS.ErrnoException) => {
        signal?.removeEventListener("abort", abort);
        if (signal?.aborted) reject(signal.reason);
        else if (again && request.reusedSocket && error.code === "ECONNRESET") attempt(false);
        else reject(failure ?? error);
      });
      if (stream) {
        const noted = noting(stream, (error) => {
          failure = error;
        });
        // What goes wrong at either end of the pipe is an error of the request; of its source, "socket hang up", and on
        // a kept socket that it has not got yet none at all.
        pipeline(noted, request).catch(() => {
          if (failure !== null) reject(signal?.aborted ? signal.reason : failure);
        });
        return;
      }
      for (const part of parts.slice(0, -1)) request.write(part);
      request.end(parts.at(-1));
    };
    attempt(stream === null);
  });
};

/** An `Authorization` of the name and the password in an address, where a percent sign may stand for itself. */
export function basicCredentials({ username, password }: URL): string {
  return `Basic ${Buffer.from(`${unescaped(username)}:${unescaped(password)}`).toString("base64")}`;
}

function unescaped(text: string): string {
  return text.replace(/(?:%[\da-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}

async function* noting<T>(parts: AsyncIterable<T>, note: (error: unknown) => void): AsyncGenerator<T> {
  try {
    yield* parts;
  } catch (error) {
    note(error);
    throw error;
  }
}

/** Whether a body comes part by part and can be sent only once. */
export function isStream(body: WireInit["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && Symbol.asyncIterator in body;
}

function partsOf(
  body: Exclude<WireInit["body"], AsyncIterable<Uint8Array>>,
): readonly (string | Uint8Array)[] {
  if (body === undefined) return [];
  return typeof body === "string" || body instanceof Uint8Array ? [body] : body;
}

async function* bodyOf(
  response: http.IncomingMessage,
  signal: AbortSignal | undefined,
  isComplete: () => boolean,
): AsyncGenerator<Uint8Array> {
  try {
    const chunks = response.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) yield chunk as Uint8Array;
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    if (isComplete()) readToEnd(response);
    else response.destroy();
  }
}

function readToEnd(response: http.IncomingMessage): void {
  const timer = setTimeout(() => response.destroy(), END_MS).unref();
  response.once("close", () => clearTimeout(timer));
  response.on("error", () => {});
  response.resume();
}

function abortError(reason: unknown): Error {
  return reason instanceof Error ? reason : new DOMException("This operation was aborted", "AbortError");
}

function flat(headers: http.IncomingHttpHeaders): Record<string, string> {
  const flattened: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flattened[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flattened;
}

/** A transport over the user's own `fetch`. */
export function fetchTransport(userFetch: typeof fetch): Transport {
  return async (url, init = {}) => {
    const response = await userFetch(url, {
      method: init.method ?? "GET",
      headers: { ...init.headers },
      ...fetchInit(init.body),
      signal: init.signal,
    });
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: fetchBody(response),
    };
  };
}

function fetchInit(body: WireInit["body"]): object {
  if (isStream(body)) return { body: ReadableStream.from(body), duplex: "half" };
  return { body: Array.isArray(body) ? Buffer.concat(body) : body };
}

async function* fetchBody(response: Response): AsyncGenerator<Uint8Array> {
  if (!response.body) {
    yield new Uint8Array(await response.arrayBuffer());
    return;
  }
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Cancelling a finished body is a no-op; an unfinished one closes its socket.
    await reader.cancel().catch(() => {});
  }
}

/** Reads a whole body. */
export async function readBody(reply: WireReply): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of reply.body) parts.push(part);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
