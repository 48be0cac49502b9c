/** Faults that a real server does not produce on demand. */

/** What is to go wrong. */
export type FailureKind =
  /** The load fails for want of memory: 500 in the words of the generation. Only calls that load. */
  | "outOfMemory"
  /** 503, the queue is full. */
  | "serverBusy"
  /** The runner dies before the first token: 500, and the model is no longer loaded. */
  | "crash"
  /** After some output: a line with `error`, and no more. */
  | "midStreamError"
  /** After some output: the connection is gone. */
  | "dropConnection"
  /** The stream ends without its final record. */
  | "noFinalRecord"
  /** 200 with an empty reply and `done: false`, as 0.34.0 answers when the engine's error is dropped. */
  | "emptyNotDone"
  /** A line (or body) that is not JSON. */
  | "invalidJson"
  /** Never answers, until the client leaves. */
  | "hang";

/** One fault, or several alike. */
export interface Failure {
  /** Only calls of this path, e.g. "/api/chat"; default any path. */
  readonly path?: string;
  /** Only calls of this model, named as the client does. */
  readonly model?: string;
  readonly kind?: FailureKind;
  /** Instead of a kind: this status, with `message` as its error text. */
  readonly status?: number;
  /** Error text; default the real one of its kind. */
  readonly message?: string;
  /** Chunks of output before a fault in the middle of a stream; default 1. */
  readonly afterChunks?: number;
  /** How often; default 1. */
  readonly times?: number;
}

/** Faults that wait for their call. */
export class Failures {
  private waiting: { readonly failure: Failure; left: number }[] = [];

  add(failure: Failure): void {
    this.waiting.push({ failure, left: failure.times ?? 1 });
  }

  /** The first fault that fits, counted down. */
  take(path: string, model: string | undefined, kinds: (failure: Failure) => boolean): Failure | undefined {
    const found = this.waiting.find(
      ({ failure }) =>
        (failure.path === undefined || failure.path === path) &&
        (failure.model === undefined || failure.model === model) &&
        kinds(failure),
    );
    if (!found) return undefined;
    found.left--;
    if (found.left <= 0) this.waiting = this.waiting.filter((other) => other !== found);
    return found.failure;
  }

  clear(): void {
    this.waiting = [];
  }
}

/** Texts of Ollama 0.34.0 and 0.24.0. */
export const failureTexts = {
  serverBusy: "server busy, please try again.  maximum pending requests exceeded",
  crash:
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, check ollama server logs for details",
  midStreamError: "an error was encountered while running the model: unexpected EOF",
} as const;
