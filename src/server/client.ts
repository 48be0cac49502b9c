/** Who asks, as far as a request tells: calls of different clients take turns. */
import type { Context } from "hono";

/** A header may have 16 KiB; the name of a program has less. */
const LONGEST_NAME = 200;

const clients = new WeakMap<Request, string>();

/** Remembers the client of a request, by its address and its program's name. */
export function noteClient({ env, req }: Context): void {
  const { incoming } = (env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  const name = (req.header("user-agent") ?? "").slice(0, LONGEST_NAME);
  clients.set(req.raw, `${incoming?.socket?.remoteAddress ?? ""} ${name}`);
}

export function clientOf(request: Request): string {
  return clients.get(request) ?? "";
}
