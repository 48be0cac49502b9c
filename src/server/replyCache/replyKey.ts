/** Which calls have the same reply. */
import { createHash } from "node:crypto";
import type { WireMessage } from "../../backend/wire.js";
import { WITHOUT_INFLUENCE } from "../../chatModel/cacheKey.js";
import type { EngineCall } from "../../engine/types.js";

type KeyedCall = Pick<EngineCall, "origin" | "path" | "body" | "onOverflow">;

/**
 * The model's name and a SHA-256 of all that can change the reply: the server, the model's digest, and the whole
 * request, but not whether it streams, how long the model stays loaded, or where and how fast it runs.
 *
 * @param digest of the model; "" when the server does not tell
 * @example replyKey({ origin: "http://a", path: "/api/chat", body: { model: "tiny" }, onOverflow: "error" }, "").slice(0, 12) // "tiny/c2a7157"
 */
export function replyKey({ origin, path, body, onOverflow }: KeyedCall, digest: string): string {
  const { model, stream: _, keep_alive: __, options = {}, messages, ...rest } = body;
  const sampling = Object.entries(options).filter(([name]) => !WITHOUT_INFLUENCE.has(name));
  const parts = [origin, path, onOverflow, digest, sorted(Object.entries(rest)), sorted(sampling)];
  const text = JSON.stringify([...parts, messages && withPlainIds(messages)]);
  return `${model}/${createHash("sha256").update(text).digest("hex")}`;
}

function sorted(entries: [string, unknown][]): [string, unknown][] {
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Ids of tool calls are drawn anew for each reply: with them, no second step of an agent would ever hit. */
function withPlainIds(messages: readonly WireMessage[]): readonly unknown[] {
  const ids = new Map<string, number>();
  const plain = (id: string | undefined): number | undefined => {
    if (id === undefined) return undefined;
    if (!ids.has(id)) ids.set(id, ids.size);
    return ids.get(id);
  };
  return messages.map(({ tool_calls, tool_call_id, ...message }) => ({
    ...message,
    tool_calls: tool_calls?.map(({ id, ...call }) => ({ ...call, id: plain(id) })),
    tool_call_id: plain(tool_call_id),
  }));
}
