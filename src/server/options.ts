/** What the server application is made of. */
import type { Transport } from "../backend/transport.js";
import type { ReplyCacheOptions } from "../cache/index.js";
import type { Engine } from "../engine/engine.js";
import type { Logger } from "../logger.js";
import type { OptimizerStore } from "../storage/store.js";
import type { Activity } from "./activity.js";
import type { CallEngine } from "./callEngine.js";
import type { ReplyCache } from "./replyCache/replyCache.js";
import type { ReportingOptions } from "./report/watch.js";

/** What the server is made of, and what it permits. */
export interface ServerAppOptions {
  /** Base address of Ollama. The only place that requests are ever sent to. */
  readonly upstream: string;
  /** What is learned and recorded. Stays open when the server ends. */
  readonly store: OptimizerStore;
  /** Shares what is known of the slots with other users of this process; default one of its own. */
  readonly engine?: Engine;
  /** Clients must send it as `Authorization: Bearer`. It is never sent on. */
  readonly token?: string;
  /** Lets routes through that change models or accounts, and those that are not known. Default false. */
  readonly allowAdmin?: boolean;
  /** Names (without a port) that clients may use for this server beside localhost and addresses. */
  readonly hosts?: readonly string[];
  /** Larger requests get 413. Default 32 MiB. */
  readonly bodyLimitBytes?: number;
  /** Decides the window even where a client sets `num_ctx` or `num_batch`. Default false: the client wins. */
  readonly override?: boolean;
  /** A prompt that fits no permitted window: refused with 400 (default), or cut as Ollama does. */
  readonly onOverflow?: "error" | "cut";
  /** Calls that may wait for one model while it is in use with another window; more get 503. Default 512. */
  readonly maxWaiting?: number;
  /** Milliseconds after which a call that still waits gets 503. Default 300,000. */
  readonly maxWaitMs?: number;
  /**
   * Gives the same call the same reply, without the model, e.g. `{ ttlSeconds: 600 }`. Its backend stays open when the
   * server ends. Default: off.
   */
  readonly cache?: ReplyCacheOptions;
  /** What reports tell beyond the request log, and where alerts go. */
  readonly reporting?: ReportingOptions;
  /** Sent to Ollama with each request, e.g. the credentials of a proxy before it. */
  readonly upstreamHeaders?: Readonly<Record<string, string>>;
  /** Defaults to node:http. */
  readonly transport?: Transport;
  /** Gets error codes and addresses, never prompts. Default: silent. */
  readonly logger?: Logger;
}

/** The same with nothing left open. */
export interface ServerContext {
  /** The only way to a model: calls take turns there, and the activity sees them. */
  readonly engine: CallEngine;
  readonly activity: Activity;
  /** null: off. */
  readonly cache: ReplyCache | null;
  readonly store: OptimizerStore;
  /** Without a trailing slash. */
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly transport: Transport;
  readonly bodyLimitBytes: number;
  readonly override: boolean;
  readonly onOverflow: "error" | "cut";
}

export const DEFAULT_BODY_LIMIT_BYTES: number = 32 * 2 ** 20;
/** As OLLAMA_MAX_QUEUE. */
export const DEFAULT_MAX_WAITING = 512;
export const DEFAULT_MAX_WAIT_MS = 300_000;
