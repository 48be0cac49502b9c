/**
 * Ends connections on which the other side stopped in the middle: of its request, or of reading its reply. A call that
 * waits for Ollama is left alone, however long its load takes.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** @param stallMs milliseconds without a byte moving */
export function endStalledSockets(server: Server, stallMs: number): void {
  const latest = new WeakMap<Socket, Exchange>();
  server.on("request", (incoming, outgoing) => latest.set(incoming.socket, { incoming, outgoing }));
  // With a listener, ending idle connections is up to it too.
  server.setTimeout(stallMs, (socket) => {
    const exchange = latest.get(socket);
    if (exchange && isOurTurn(exchange)) socket.setTimeout(stallMs);
    else socket.destroy();
  });
}

/** Whether it is this side that keeps the other waiting. */
function isOurTurn({ incoming, outgoing }: Exchange): boolean {
  if (outgoing.writableFinished) return false;
  // What came and was not taken yet waits for a slow upstream.
  if (!incoming.complete) return incoming.readableLength > 0;
  return outgoing.writableLength === 0;
}
