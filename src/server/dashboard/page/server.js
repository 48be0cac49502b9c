/** This page's way to its server: the token, single questions, and the stream of events that is opened anew when it breaks. */
import { eventsOf } from "./eventStream.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** The server sends a heartbeat every 15 s: after this long without a byte there is nobody. */
const SILENT_MS = 40_000;

/**
 * "locked": the server asks for a token; `wasRefused` when one was given.
 *
 * @typedef {{ readonly kind: "connecting" }
 *   | { readonly kind: "live" }
 *   | { readonly kind: "disconnected", readonly why: string, readonly retryAt: number }
 *   | { readonly kind: "locked", readonly wasRefused: boolean }} ConnectionState
 */

/**
 * @typedef {object} ServerOptions
 * @property {{ get(): string | null, set(token: string): void }} token
 * @property {(data: string) => void} onEvent
 * @property {(state: ConnectionState) => void} onState
 * @property {typeof fetch} [fetch]
 * @property {number} [firstWaitMs]
 * @property {number} [silentMs]
 */

/**
 * Before the next try: doubled after each failure. Half of it is by chance, since pages that were cut off together
 * shall not come back together.
 *
 * @param {number} failures in a row before this one
 * @param {number} chance 0..1
 */
export function waitMs(failures, chance, firstMs = FIRST_WAIT_MS) {
  return Math.min(LONGEST_WAIT_MS, firstMs * 2 ** failures) * (0.5 + chance / 2);
}

export class Server {
  /** @type {ConnectionState} */
  state = { kind: "connecting" };
  /** @type {AbortController | null} */
  #stream = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #failures = 0;
  #options;

  /** @param {ServerOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /**
   * @param {string} path
   * @returns {Promise<unknown>} the JSON of a good reply
   * @throws {Error} for all others, with the status in its text
   */
  async get(path) {
    return answerOf(await this.#fetch(path, "application/json"));
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @returns {Promise<unknown>} the JSON of a good reply
   * @throws {Error} for all others, with the status in its text and as its cause
   */
  async post(path, body) {
    return answerOf(await this.#fetch(path, "application/json", undefined, JSON.stringify(body)));
  }

  /** Opens the stream, or opens it anew without waiting. */
  connect() {
    clearTimeout(this.#timer);
    this.#stream?.abort();
    const stream = new AbortController();
    this.#stream = stream;
    this.#become({ kind: "connecting" });
    this.#read(stream).catch((error) => {
      if (this.#stream === stream) this.#waitAfter(error);
    });
  }

  /**
   * A token is kept, and tried at once.
   *
   * @param {string} token
   */
  use(token) {
    this.#options.token.set(token);
    this.#failures = 0;
    this.connect();
  }

  /** Ends the stream and tries no more. */
  close() {
    clearTimeout(this.#timer);
    this.#stream?.abort();
    this.#stream = null;
  }

  /** @param {unknown} error */
  #waitAfter(error) {
    const wait = waitMs(this.#failures++, Math.random(), this.#options.firstWaitMs);
    const isFromServer = error instanceof Error && error.message.startsWith("The server");
    const why = isFromServer ? error.message : "The server cannot be reached";
    this.#timer = setTimeout(() => this.connect(), wait);
    this.#become({ kind: "disconnected", why, retryAt: Date.now() + wait });
  }

  /** @param {AbortController} stream */
  async #read(stream) {
    const { onEvent, token, silentMs = SILENT_MS } = this.#options;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let silence;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stream.abort(new Error("The server fell silent")), silentMs);
    };
    try {
      heard();
      const reply = await this.#fetch("/optimization/events", "text/event-stream", stream.signal);
      if (reply.status === 401) {
        this.#become({ kind: "locked", wasRefused: token.get() !== null });
        return;
      }
      if (!reply.ok || !reply.body) throw new Error(`The server answered ${reply.status}`);
      this.#failures = 0;
      this.#become({ kind: "live" });
      for await (const data of eventsOf(reply.body, heard)) {
        if (this.#stream !== stream) return;
        onEvent(data);
      }
      throw new Error("The server ended the stream");
    } finally {
      clearTimeout(silence);
    }
  }

  /**
   * @param {string} path
   * @param {string} accept
   * @param {AbortSignal} [signal]
   * @param {string} [body] JSON; with it, it is a POST
   */
  #fetch(path, accept, signal, body) {
    const { fetch: send = fetch, token } = this.#options;
    const kept = token.get();
    /** @type {Record<string, string>} */
    const headers = { accept };
    if (kept !== null) headers.authorization = `Bearer ${kept}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    return send(path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body,
      cache: "no-store",
      signal,
    });
  }

  /** @param {ConnectionState} state */
  #become(state) {
    this.state = state;
    this.#options.onState(state);
  }
}

/** @param {Response} reply */
async function answerOf(reply) {
  if (!reply.ok) throw new Error(`The server answered ${reply.status}`, { cause: reply.status });
  return reply.json();
}
