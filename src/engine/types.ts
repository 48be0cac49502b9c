/** What goes into the engine and what comes out: shared by the chat model and the HTTP server. */
import type { Transport } from "../backend/transport.js";
import type { WireChunk, WireRequest } from "../backend/wire.js";
import type { Configuration } from "../optimizer/configuration.js";
import type { DecisionRecord, RequestRecord, RequestSource } from "../records.js";

/** What happens to a prompt that fits no permitted window. `trim` is done by the caller, see `chatModel/overflow.ts`. */
export type OverflowPolicy = "error" | "trim" | "cut";

/** One call of `/api/chat` or `/api/generate`, as its client would have sent it. */
export interface EngineCall {
  /** Base address, e.g. `http://127.0.0.1:11434`, without a trailing slash. */
  readonly origin: string;
  readonly path: "/api/chat" | "/api/generate";
  /** Options in it count as set by the user: they win. */
  readonly body: WireRequest;
  readonly headers?: Readonly<Record<string, string>>;
  /** Defaults to node:http. */
  readonly transport?: Transport;
  readonly signal?: AbortSignal;
  /** False: the body goes out as written. */
  readonly optimize: boolean;
  readonly onOverflow: OverflowPolicy;
  /** Tuning; the defaults when absent. */
  readonly configuration?: Configuration;
  readonly source: RequestSource;
  readonly runId?: string;
  readonly tags?: readonly string[];
  readonly owner?: string;
  /**
   * False: `num_predict` only limits the reply, as OpenAI's `max_tokens` does, and room is kept for what replies are
   * known to need. Default true: all of it is kept free.
   */
  readonly reservesNumPredict?: boolean;
  /** Output reserve in tokens that the user asked for (`/opt reserve=`). */
  readonly reserve?: number;
  /** Template id that the user named (`/opt template=`). */
  readonly templateId?: string;
  /** Keeps prompt and reply text with the request, after redaction. Off by default. */
  readonly storeText?: boolean;
  /** Changes every text before it is kept. One that throws keeps the text out of the record. */
  readonly redact?: (text: string) => string;
  /** True: an answered call is recorded in a later turn of the event loop, when the reply is on its way. */
  readonly recordsLater?: boolean;
  /** Messages that the caller left out after an overflow with `trim`. */
  readonly trimmedMessages?: number;
  /**
   * Asked right before the call is decided, for who lets calls take turns: null lets it go at once, a promise lets it
   * wait, and its rejection ends the call. Calls about which nothing is decided do not ask.
   */
  readonly admit?: (asking: Asking) => Promise<void> | null;
}

/** A call that is counted and not decided yet. */
export interface Asking {
  /** The loaded runner that it is for. */
  readonly slotId: string;
  readonly templateId: string | null;
  /** Whether a loaded model would be loaded anew for it, if it were decided now. */
  readonly wouldReload: () => boolean;
}

/** One parsed line of the reply and its raw text. */
export interface EngineChunk {
  readonly raw: string;
  readonly data: WireChunk;
}

/** A reply under way. */
export interface EngineReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The decision; complete with its outcome once `chunks` has yielded the final line, or with `recorded` under `recordsLater`. */
  readonly decision: () => DecisionRecord;
  /**
   * Ends after the final line. Throws when the reply ends without one, is empty and unfinished, or carries an
   * error line. Leaving it early stops the server.
   */
  readonly chunks: AsyncIterable<EngineChunk>;
  /** What was recorded; resolves when the reply has ended, however it ended. */
  readonly recorded: Promise<RequestRecord>;
}

/** What is known of a model on a server, without asking. Windows in tokens, null when unknown or not loaded. */
export interface ModelFacts {
  /** Of the model, as `/api/tags` gives it; empty when the server does not list it. */
  readonly digest?: string;
  readonly trainedNumCtx: number | null;
  readonly loadedNumCtx: number | null;
  readonly capabilities: readonly string[];
}
