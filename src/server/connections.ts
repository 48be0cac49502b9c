/**
 * The connections of a server and the replies that run on them. Node's own `closeIdleConnections` also ends those on
 * which a whole reply waits for a slow reader, and leaves those to go on whose client asks again at once.
 */
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export interface Connections {
  /** Ends each as soon as no reply runs on it. */
  end(): void;
}

export function connectionsOf(server: Server): Connections {
  const replies = new Map<Socket, Set<ServerResponse>>();
  let isEnding = false;
  const endIdle = (): void => {
    for (const [socket, running] of replies) if (running.size === 0) socket.destroySoon();
  };
  server.on("connection", (socket) => {
    replies.set(socket, new Set());
    socket.once("close", () => replies.delete(socket));
  });
  server.on("request", ({ socket }, outgoing) => {
    const running = replies.get(socket);
    running?.add(outgoing);
    outgoing.once("close", () => {
      running?.delete(outgoing);
      if (isEnding) endIdle();
    });
  });
  // Called by `server.close()`.
  server.closeIdleConnections = endIdle;
  return {
    end: () => {
      isEnding = true;
      for (const outgoing of [...replies.values()].flatMap((running) => [...running])) {
        // Where the head is still to be written it says so.
        outgoing.shouldKeepAlive = false;
      }
      endIdle();
    },
  };
}
