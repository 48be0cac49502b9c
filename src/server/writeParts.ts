/** Writes a streamed reply straight to its socket: a web stream between them costs a write more, and time. */
import type { ServerResponse } from "node:http";
import type { BodySource } from "./bodyStream.js";

/** UTF-16 units of text that are held back at most. */
const MOST_HELD = 65_536;

/**
 * Writes what follows the head. Texts that come in one turn of the event loop leave in one write, and the head with
 * the first, or alone when that is not at hand. Resolves when the reply has ended, however it ended; a reply that
 * breaks off closes its socket.
 */
export async function writeParts({ parts, upstream }: BodySource, outgoing: ServerResponse): Promise<void> {
  let held = "";
  let turn: NodeJS.Immediate | null = setImmediate(() => outgoing.flushHeaders());
  const write = (part: string | Uint8Array): void => {
    if (turn) clearImmediate(turn);
    turn = null;
    held = "";
    outgoing.write(part);
  };
  try {
    for await (const part of parts) {
      if (typeof part === "string") {
        if (held === "" && turn) clearImmediate(turn);
        if (held === "") turn = setImmediate(() => write(held));
        held += part;
        if (held.length > MOST_HELD) write(held);
      } else write(part);
      if (outgoing.writableNeedDrain) await drained(outgoing);
      if (outgoing.destroyed) break;
    }
    if (turn) clearImmediate(turn);
    outgoing.end(held);
  } catch {
    // The socket's end is all that can still be said.
    outgoing.destroy();
  } finally {
    if (turn) clearImmediate(turn);
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
