/** Writes a streamed reply straight to its socket: a web stream between them costs a write more, and time. */
import type { ServerResponse } from "node:http";
import type { BodySource } from "./bodyStream.js";

/**
 * The head leaves with the first part, or alone when that is not at hand. Resolves when the reply has ended, however
 * it ended; a reply that breaks off closes its socket.
 */
export async function writeParts(
  { status, headers }: Response,
  { parts, upstream }: BodySource,
  outgoing: ServerResponse,
): Promise<void> {
  outgoing.writeHead(status, Object.fromEntries(headers));
  const headAlone = setImmediate(() => outgoing.flushHeaders());
  try {
    for await (const part of parts) {
      clearImmediate(headAlone);
      if (!outgoing.write(part)) await drained(outgoing);
      if (outgoing.destroyed) break;
    }
    outgoing.end();
  } catch {
    // The socket's end is all that can still be said.
    outgoing.destroy();
  } finally {
    clearImmediate(headAlone);
    if (outgoing.destroyed) upstream.abort();
  }
}

/** Resolves when there is room again, or nobody to write for. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    outgoing.on("drain", done);
    outgoing.on("close", done);
    if (outgoing.destroyed) done();
  });
}
