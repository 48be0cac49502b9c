import type { ChatContext, ChatMessage, RenderProbe } from "./chatMessage.js";
import {
  type Anatomy,
  dissect,
  hasOpaqueArguments,
  markedMessages,
  type Slot,
  writeSlot,
} from "./chatProbe.js";
import { contextKey, messageShapes, shorten } from "./chatShape.js";
import { dayOf, namesToday } from "./dates.js";

/** Changes when pieces are learned in another way: older ones are learned anew. */
const VERSION = 1;
/** Messages of a probe: about 40 tokens each, so that it fits a window of 1,024. */
const PROBE_MESSAGES = 16;
/** Most pieces kept; a tool set brings about ten. */
const MOST_PIECES = 2_000;

/** Literal text of a template. One that names the day holds for that day. */
interface Piece {
  readonly text: string;
  readonly day?: string;
}

/** What a message contributes: literal text and slots in turns, or nothing. */
interface Frame {
  readonly literals: readonly string[];
  readonly slots: readonly Omit<Slot, "message">[];
}

interface Kept {
  readonly version: number;
  readonly gaps: Readonly<Record<string, Piece>>;
  readonly frames: Readonly<Record<string, Frame>>;
  readonly unfit: readonly string[];
}

/**
 * A model's chat template, learned from prompts that the server rendered. A prompt is what messages contribute
 * (frames) and the text between them (gaps). Both depend on the shapes of neighbouring messages only, so a
 * conversation that grows needs no further probe. Where a template does otherwise, the check that follows each
 * lesson fails, and nothing is rendered for that kind of prompt: a count must never be almost exact.
 *
 * @example
 * await layout.learn(messages, {}, probe);
 * layout.render(messages, {}) // "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
 */
export class ChatLayout {
  private readonly gaps = new Map<string, Piece>();
  private readonly frames = new Map<string, Frame>();
  /** Kinds of prompts (context keys) whose template does not go by neighbours. */
  private readonly unfit = new Set<string>();
  /** Tool calls cannot be written by any form known: they are learned one by one. */
  private opaqueCalls = false;

  /** @param now the clock: some templates name the day */
  constructor(private readonly now: () => Date = () => new Date()) {}

  /**
   * The prompt that the server will make of these messages, or null when that is not known (call {@link learn}),
   * cannot be known, or contains images.
   */
  render(messages: readonly ChatMessage[], context: ChatContext = {}): string | null {
    const key = contextKey(messages, context);
    if (this.unfit.has(key) || !isRenderable(messages)) return null;
    const shapes = messageShapes(messages, this.opaqueCalls);
    const parts: string[] = [];
    let since = "^";
    for (let index = 0; index < messages.length; index++) {
      const frame = this.frames.get(`${key} ${shapes[index]}`);
      if (frame === undefined) return null;
      since += shapes[index];
      if (frame.slots.length === 0) continue;
      const gap = this.gap(`${key} ${since}`);
      const written = writeFrame(frame, messages[index] as ChatMessage);
      if (gap === null || written === null) return null;
      parts.push(gap, written);
      since = shapes[index] as string;
    }
    const end = this.gap(`${key} ${since}$`);
    return end === null ? null : parts.join("") + end;
  }

  /** False when prompts of this kind cannot be assembled exactly, whatever is probed. */
  isLearnable(messages: readonly ChatMessage[], context: ChatContext = {}): boolean {
    return isRenderable(messages) && !this.unfit.has(contextKey(messages, context));
  }

  /**
   * Learns what is missing to {@link render} these messages: two or three probes of marker texts the first time, one
   * for each new transition afterwards. Rejects with whatever the probe rejects with.
   */
  async learn(messages: readonly ChatMessage[], context: ChatContext, probe: RenderProbe): Promise<void> {
    if (!this.isLearnable(messages, context) || this.render(messages, context) !== null) return;
    const key = contextKey(messages, context);
    const ask = async (asked: readonly ChatMessage[]): Promise<string | null> =>
      probe(asked, context.tools, context.think);
    for (const lesson of [shorten(messages, this.opaqueCalls, PROBE_MESSAGES), stretched(messages, 3)]) {
      if (this.render(lesson, context) !== null) continue;
      const rendered = await ask(markedMessages(lesson, this.opaqueCalls));
      if (rendered === null) return;
      const anatomy = dissect(rendered);
      if (!this.opaqueCalls && hasOpaqueArguments(anatomy)) {
        this.opaqueCalls = true;
        return this.learn(messages, context, probe);
      }
      if (!this.remember(lesson, key, anatomy)) this.unfit.add(key);
    }
    await this.check(stretched(messages, 2), context, ask);
  }

  /** Renders what was not learned as such, with other contents, and compares. */
  private async check(
    messages: readonly ChatMessage[],
    context: ChatContext,
    ask: (messages: readonly ChatMessage[]) => Promise<string | null>,
  ): Promise<void> {
    const contents = ["\n\nA first line.\n", "x", "\tindented\n\n  more ", '{"a": "<b>"}\r\n'];
    const asked = messages.map((message, index) =>
      message.content.trim() === "" ? message : { ...message, content: contents[index % 4] as string },
    );
    const expected = this.render(asked, context);
    if (expected === null) return;
    const rendered = await ask(asked);
    if (rendered !== null && rendered !== expected) this.unfit.add(contextKey(messages, context));
  }

  /** Takes the pieces of a rendered probe; false when they contradict the idea of this class or what is known. */
  private remember(messages: readonly ChatMessage[], key: string, { literals, slots }: Anatomy): boolean {
    const shapes = messageShapes(messages, this.opaqueCalls);
    let since = "^";
    let position = 0;
    for (const [index, message] of messages.entries()) {
      const first = position;
      while (slots[position]?.message === index) position++;
      const own = slots.slice(first, position);
      // A server without room leaves older messages out, but never a system message: a template may.
      const isExpected = message.role !== "system" && message.content.trim() !== "";
      if (isExpected && !own.some(({ name }) => name === "content")) return false;
      const frame = {
        literals: own.length === 0 ? [] : ["", ...literals.slice(first + 1, position), ""],
        slots: own.map(({ name, call, form }) => ({ name, call, form })),
      };
      if (!this.put(this.frames, `${key} ${shapes[index]}`, frame)) return false;
      since += shapes[index];
      if (own.length === 0) continue;
      if (!this.putGap(`${key} ${since}`, literals[first] as string)) return false;
      since = shapes[index] as string;
    }
    return position === slots.length && this.putGap(`${key} ${since}$`, literals[position] as string);
  }

  private gap(key: string): string | null {
    const piece = this.gaps.get(key);
    return piece === undefined || (piece.day !== undefined && piece.day !== dayOf(this.now()))
      ? null
      : piece.text;
  }

  private putGap(key: string, text: string): boolean {
    const now = this.now();
    const piece = namesToday(text, now) ? { text, day: dayOf(now) } : { text };
    const known = this.gaps.get(key);
    if (known?.day !== undefined && known.day !== piece.day) this.gaps.delete(key);
    return this.put(this.gaps, key, piece);
  }

  private put<T>(pieces: Map<string, T>, key: string, piece: T): boolean {
    const known = pieces.get(key);
    if (known !== undefined) return JSON.stringify(known) === JSON.stringify(piece);
    pieces.set(key, piece);
    if (pieces.size > MOST_PIECES) pieces.delete(pieces.keys().next().value as string);
    return true;
  }

  /** What was learned, without anything of tools or tool calls, which are a user's own text. */
  toJSON(): Kept {
    const isKept = ([key]: [string, unknown]): boolean => !key.includes("|tools:");
    return {
      version: VERSION,
      gaps: this.opaqueCalls ? {} : Object.fromEntries([...this.gaps].filter(isKept)),
      frames: this.opaqueCalls ? {} : Object.fromEntries([...this.frames].filter(isKept)),
      unfit: [...this.unfit].filter((key) => !key.includes("|tools:")),
    };
  }

  /** What was kept; anything else gives an empty layout. */
  static fromJSON(kept: unknown, now?: () => Date): ChatLayout {
    const layout = new ChatLayout(now);
    if (typeof kept !== "object" || kept === null || (kept as Kept).version !== VERSION) return layout;
    const { gaps, frames, unfit } = kept as Kept;
    for (const [key, piece] of Object.entries(gaps)) layout.gaps.set(key, piece);
    for (const [key, frame] of Object.entries(frames)) layout.frames.set(key, frame);
    for (const key of unfit) layout.unfit.add(key);
    return layout;
  }
}

/** Images have no text; thinking inside a content is taken out by some templates, by rules of their own. */
function isRenderable(messages: readonly ChatMessage[]): boolean {
  return messages.every(
    ({ role, content, images }) => !images?.length && (role !== "assistant" || !content.includes("</think>")),
  );
}

function writeFrame({ literals, slots }: Frame, message: ChatMessage): string | null {
  let text = literals[0] ?? "";
  for (const [index, slot] of slots.entries()) {
    const written = writeSlot({ ...slot, message: 0 }, message);
    if (written === null) return null;
    text += written + (literals[index + 1] ?? "");
  }
  return text;
}

/** The beginning and the end of a conversation with plain turns between: what it will look like when it grows. */
function stretched(messages: readonly ChatMessage[], turns: number): ChatMessage[] {
  const lastUser = messages.map(({ role }) => role).lastIndexOf("user");
  const head = messages[0]?.role === "system" ? [messages[0]] : [];
  const tail = lastUser < 0 ? [] : messages.slice(lastUser);
  const turn = [
    { role: "user", content: "x" },
    { role: "assistant", content: "x" },
  ];
  return [...head, ...Array.from({ length: turns }, () => turn).flat(), ...tail.slice(0, PROBE_MESSAGES)];
}
