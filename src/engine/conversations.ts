/** Recognises a call whose messages extend an earlier call's: its window should grow ahead of the need. */
import type { WireMessage } from "../backend/wire.js";

/** A message's key: enough to tell a continued conversation, cheap on long texts (whole texts are never hashed). */
function messageKey(message: WireMessage): string {
  const { role, content } = message;
  return `${role.length}${role}${content.length}:${content.slice(0, 48)}${content.slice(-48)}`;
}

/** Remembers the last `limit` calls by a rolling hash over their messages. */
export class Conversations {
  private readonly seen = new Set<number>();

  constructor(private readonly limit = 4096) {}

  /** Whether these messages begin with all messages of an earlier call. Remembers them for the next. */
  extendsEarlier(scope: string, messages: readonly WireMessage[]): boolean {
    let hash = fnv(scope, 0x811c9dc5);
    let extended = false;
    for (const [index, message] of messages.entries()) {
      hash = fnv(messageKey(message), hash);
      if (index < messages.length - 1 && message.role !== "system" && this.seen.has(hash)) extended = true;
    }
    this.seen.delete(hash);
    this.seen.add(hash);
    if (this.seen.size > this.limit) this.seen.delete(this.seen.values().next().value!);
    return extended;
  }
}

/** FNV-1a over UTF-16 code units, 32 bits. */
function fnv(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
