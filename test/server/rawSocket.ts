/** A client that sends whatever bytes it likes, and what came back. */
import { connect, type Socket } from "node:net";

export interface RawReply {
  /** Of each reply on the connection, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
  /** The other side ended the connection, cleanly or not. */
  readonly isClosed: boolean;
}

export interface RawOptions {
  /** Ends this side after the last part, so that only the other direction stays open. */
  readonly isHalfClosed?: boolean;
  /** Waits for so long between parts. */
  readonly pauseMs?: number;
  /** Breaks the connection off right after the last part. */
  readonly leaves?: boolean;
  /** Gives up on an answer after so long. */
  readonly patienceMs?: number;
}

/** Sends the parts, then waits for one whole reply or for the end of the connection. */
export async function sendRaw(
  origin: string,
  parts: readonly (string | Uint8Array)[],
  { isHalfClosed = false, pauseMs = 0, leaves = false, patienceMs = 20_000 }: RawOptions = {},
): Promise<RawReply> {
  const { port, hostname } = new URL(origin);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
  for (const part of parts) {
    if (socket.destroyed) break;
    socket.write(part);
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  if (leaves) {
    socket.destroy();
    return { statuses: [], text: "", isClosed: true };
  }
  if (isHalfClosed) socket.end();
  const hasBody = !String(parts[0]).startsWith("HEAD ");
  return replyOn(socket, hasBody, patienceMs);
}

function replyOn(socket: Socket, hasBody: boolean, patienceMs: number): Promise<RawReply> {
  let text = "";
  return new Promise((resolve) => {
    const done = (isClosed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ statuses, text, isClosed });
    };
    const timer = setTimeout(() => done(false), patienceMs);
    socket.setEncoding("latin1");
    socket.on("data", (part: unknown) => {
      text += part as string;
      if (isWhole(text, hasBody)) done(false);
    });
    socket.once("end", () => done(true));
    socket.once("close", () => done(true));
  });
}

/** A head, and a body as long as the head says. */
function isWhole(text: string, hasBody: boolean): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  if (!hasBody || /^HTTP\/1\.1 (204|304) /.test(text)) return true;
  const head = text.slice(0, end);
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  if (length !== undefined) return text.length - end - 4 >= Number(length);
  return /transfer-encoding: chunked/i.test(head) ? text.endsWith("0\r\n\r\n") : false;
}
