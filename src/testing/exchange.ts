/** One request and its reply on the wire. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** What was seen of a request, and what the server did: the ground truth for a test's own figures. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  /** Parsed; the raw text when it is no JSON. */
  readonly body: unknown;
  /** Milliseconds since 1970 on the server's clock. */
  readonly at: number;
  /** Once the reply has begun. */
  status?: number;
  /** What became of a call that generates; absent when it did not come so far. */
  facts?: CallFacts;
  /** The client left before the reply was complete; how many tokens had been made until the server stopped. */
  aborted?: { readonly outputTokens: number };
}

/** Counts are tokens. */
export interface CallFacts {
  /** The window it ran in. */
  readonly numCtx: number;
  readonly numBatch: number;
  /** The call loaded the model, anew or for the first time. */
  readonly loaded: boolean;
  /** Of the whole prompt, before anything was dropped or cut. */
  readonly promptTokens: number;
  /** What was left of it. */
  readonly promptEvalCount: number;
  readonly droppedMessages: number;
  /** Messages were dropped or the prompt was cut. */
  readonly cut: boolean;
  cachedTokens: number;
  outputTokens: number;
  /** Prompt and output passed the window. */
  shifted: boolean;
  doneReason: string | null;
}

/** The reply as handlers write it. */
export class Exchange {
  readonly signal: AbortSignal;

  constructor(
    readonly entry: ReceivedRequest,
    readonly text: string,
    private readonly response: ServerResponse,
  ) {
    const controller = new AbortController();
    this.signal = controller.signal;
    response.on("close", () => {
      if (!response.writableFinished) controller.abort();
    });
  }

  get begun(): boolean {
    return this.response.headersSent;
  }

  /** A whole reply. */
  json(status: number, value: unknown, contentType = "application/json; charset=utf-8"): void {
    this.plain(status, goStringify(value), contentType);
  }

  /** A whole reply of text. */
  plain(status: number, text: string, contentType = "text/plain"): void {
    this.entry.status = status;
    this.response.writeHead(status, { "content-type": contentType });
    this.response.end(text);
  }

  /** One line of a stream. Gives the client the time to leave in between. */
  async line(value: unknown): Promise<void> {
    await this.rawLine(goStringify(value));
  }

  async rawLine(text: string): Promise<void> {
    if (!this.begun) {
      this.entry.status = 200;
      this.response.writeHead(200, { "content-type": "application/x-ndjson" });
    }
    const flushed = this.response.write(`${text}\n`);
    if (!flushed && !this.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.response.once("drain", resolve);
        this.signal.addEventListener("abort", () => resolve());
      });
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Ends a stream. */
  end(): void {
    if (!this.begun) this.response.writeHead(200, { "content-type": "application/x-ndjson" });
    this.response.end();
  }

  /** The connection breaks. */
  destroy(): void {
    this.response.destroy();
  }
}

/** The body as text. */
export async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

/** JSON as Go writes it: angle brackets, ampersands and line separators are escaped. */
function goStringify(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
