/** Reads a request's body up to a limit, and not at a drip. */
import { OptimizerError } from "../errors.js";
import { clientLeft } from "./bodyStream.js";
import { exchangeOf } from "./exchange.js";

/** A body may be slow for so long; then it has to have come at this rate on average. */
const GRACE_MS = 30_000;
const LEAST_BYTES_PER_MS = 1;

/**
 * The body whole.
 *
 * @param limit bytes
 * @throws OptimizerError `BODY_TOO_LARGE` as soon as the limit is passed, or announced to be; `BODY_TOO_SLOW`
 */
export async function readRequestBody(request: Request, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of partsOf(request, limit)) parts.push(part);
  return Buffer.concat(parts);
}

/**
 * A body that is to be read as JSON.
 *
 * @param limit bytes
 * @throws OptimizerError as {@link readRequestBody}; `BODY_TOO_DEEP`
 */
export async function readJsonBody(request: Request, limit: number): Promise<Uint8Array> {
  const bytes = await readRequestBody(request, limit);
  if (isDeeperThan(bytes, MOST_LEVELS)) throw tooDeep();
  return bytes;
}

/** Go, and so Ollama, reads 10,000 levels; writing them again takes the stack of this process. */
const MOST_LEVELS = 1_000;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/** Texts, which are most of a body, are passed over at the speed of `indexOf`. */
function isDeeperThan(bytes: Uint8Array, most: number): boolean {
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = endOfText(bytes, at);
      if (at < 0) return false;
    } else if (OPENING.has(byte)) {
      if (++depth > most) return true;
    } else if (CLOSING.has(byte)) depth--;
  }
  return false;
}

/** Where a JSON string that begins here ends; -1: nowhere. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(QUOTE, start + 1); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let slashes = 0;
    while (bytes[at - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}

/**
 * The body as it comes; errors as {@link readRequestBody}, and an AbortError when its client leaves. Leaving early
 * cancels it.
 *
 * @param limit bytes
 * @param now milliseconds
 */
export async function* partsOf(
  request: Request,
  limit: number,
  now: () => number = () => performance.now(),
): AsyncGenerator<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge(limit);
  const began = now();
  let bytes = 0;
  for await (const part of arriving(request)) {
    bytes += part.byteLength;
    if (bytes > limit) throw tooLarge(limit);
    const elapsed = now() - began;
    if (elapsed > GRACE_MS && bytes < elapsed * LEAST_BYTES_PER_MS) throw tooSlow();
    yield part;
  }
}

async function* arriving(request: Request): AsyncGenerator<Uint8Array> {
  const body = exchangeOf(request)?.incoming.iterator({ destroyOnReturn: false }) ?? request.body;
  if (!body) return;
  try {
    yield* body as unknown as AsyncIterable<Uint8Array>;
  } catch {
    // Nothing else ends a body early.
    throw clientLeft();
  }
}

function tooLarge(limit: number): OptimizerError {
  return new OptimizerError({
    code: "BODY_TOO_LARGE",
    message: `The request is larger than ${limit} bytes`,
    remedy: "Send less, or start the server with a larger body limit.",
  });
}

function tooDeep(): OptimizerError {
  return new OptimizerError({
    code: "BODY_TOO_DEEP",
    message: `The request is JSON of more than ${MOST_LEVELS} levels`,
    remedy: "Send it with less nesting.",
  });
}

function tooSlow(): OptimizerError {
  return new OptimizerError({
    code: "BODY_TOO_SLOW",
    message: "The request came too slowly",
    remedy: "Send it again over a faster connection.",
  });
}
