/** Opens the port of an application, and closes it without breaking replies that run. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { OptimizerError } from "../errors.js";
import { type Connections, connectionsOf } from "./connections.js";
import { type Exchange, isBare, noteExchange } from "./exchange.js";
import { isLoopback } from "./guard.js";
import { endStalledSockets } from "./stalledSockets.js";

const HEADERS_TIMEOUT_MS = 10_000;
/** Node looks for late headers this often; by itself only every 30 s. */
const CHECKING_INTERVAL_MS = 2_000;
const STALL_MS = 60_000;
/** Longer than clients keep a socket idle, so that it is they who close it. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/** Where to listen. */
export interface ListenOptions {
  /** Default 127.0.0.1. */
  readonly address?: string;
  /** 0: any free port. */
  readonly port: number;
  /** The application asks for a token. */
  readonly hasToken?: boolean;
  /** Lets others than this machine ask without a token. */
  readonly insecure?: boolean;
  /** Milliseconds after which a client that stops in the middle of its request or its reply is let go. Default 60 s. */
  readonly stallMs?: number;
}

/** A listening server. */
export interface Listener {
  /** e.g. "http://127.0.0.1:11435" */
  readonly origin: string;
  /**
   * Takes no more requests, waits for those that run, then ends.
   *
   * @param drainMs after which replies that still run are broken off; default 30 s
   */
  close(drainMs?: number): Promise<void>;
}

/**
 * @throws OptimizerError `TOKEN_REQUIRED` for an address that others reach without a token; `PORT_TAKEN`,
 *   `ADDRESS_UNUSABLE`
 */
export async function listen(app: Pick<Hono, "fetch">, options: ListenOptions): Promise<Listener> {
  const { address = "127.0.0.1", port, hasToken = false, insecure = false, stallMs = STALL_MS } = options;
  if (!isLoopback(address) && !hasToken && !insecure) {
    throw new OptimizerError({
      code: "TOKEN_REQUIRED",
      message: `Others than this machine would reach ${address}`,
      remedy: "Set a token, or insist with --insecure.",
    });
  }
  const stopping = new AbortController();
  const server = createAdaptorServer({
    fetch: (request, env) => {
      if (isBare(app)) noteExchange(request, env as Exchange);
      // Streams of events have no end of their own.
      return app.fetch(request, { ...env, stopping: stopping.signal });
    },
    overrideGlobalObjects: false,
    serverOptions: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      // A blob of gigabytes takes as long as it takes; who stalls or drips is found otherwise.
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: CHECKING_INTERVAL_MS,
    },
  }) as Server;
  endStalledSockets(server, stallMs);
  const connections = connectionsOf(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(cannotListen(cause, address, port)));
    server.listen(port, address, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    origin: `http://${address.includes(":") ? `[${address}]` : address}:${bound}`,
    close: (drainMs = 30_000) => {
      stopping.abort();
      return drain(server, connections, drainMs);
    },
  };
}

async function drain(server: Server, connections: Connections, drainMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const late = setTimeout(() => server.closeAllConnections(), drainMs);
  connections.end();
  await closed;
  clearTimeout(late);
}

function cannotListen(cause: NodeJS.ErrnoException, address: string, port: number): OptimizerError {
  const isTaken = cause.code === "EADDRINUSE";
  return new OptimizerError({
    code: isTaken ? "PORT_TAKEN" : "ADDRESS_UNUSABLE",
    message: isTaken
      ? `Port ${port} on ${address} is taken`
      : `Cannot listen on ${address}:${port} (${cause.code})`,
    remedy: isTaken
      ? "Choose another with --port, or end the other program."
      : "Choose another address or port.",
    cause,
  });
}
