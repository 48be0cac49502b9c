/** Answers a request: at its socket where there is one, with a Response elsewhere. */
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type BodySource, bodyStream } from "./bodyStream.js";
import { exchangeOf } from "./exchange.js";
import { writeParts } from "./writeParts.js";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** null: none. */
  readonly body: string | BodySource | null;
}

/** Resolves when the reply has ended, however it ended, or with what is still to be sent. */
export async function answer(request: Request, { status, headers, body }: Answer): Promise<Response> {
  const outgoing = exchangeOf(request)?.outgoing;
  if (!outgoing) {
    const read = typeof body === "object" && body !== null ? bodyStream(body) : body;
    return new Response(read, { status, headers });
  }
  if (typeof body === "string") {
    outgoing.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
  } else if (body) {
    outgoing.writeHead(status, headers);
    await writeParts(body, outgoing);
  } else outgoing.writeHead(status, headers).end();
  return RESPONSE_ALREADY_SENT;
}
