import {
  type ChatContext,
  type ChatMessage,
  type Field,
  hasThought,
  type RenderProbe,
  THOUGHT_END,
} from "./chatMessage.js";
import {
  type Anatomy,
  dissect,
  fieldAt,
  hasOpaqueArguments,
  markedMessages,
  type Slot,
  writeField,
} from "./chatProbe.js";
import { contextKey, hasLateSystem, hoisted, messageShapes, shorten } from "./chatShape.js";
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

/** Literal text, or a field and how it is written. */
type Part = string | { readonly form: Slot["form"]; readonly field: Field };

interface Kept {
  readonly version: number;
  readonly gaps: Readonly<Record<string, Piece>>;
  readonly frames: Readonly<Record<string, Frame>>;
  readonly unfit: readonly string[];
  /** Absent in what was kept before there were any. */
  readonly hoisting?: readonly string[];
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
  /** Kinds whose template writes all system messages at the beginning: Go templates with `.System`. */
  private readonly hoisting = new Set<string>();
  /** Kinds that were found not to do so. */
  private readonly notHoisting = new Set<string>();
  /** Tool calls cannot be written by any form known: they are learned one by one. */
  private opaqueCalls = false;

  /** @param now the clock: some templates name the day */
  constructor(private readonly now: () => Date = () => new Date()) {}

  /**
   * The prompt that the server will make of these messages, or null when that is not known (call {@link learn}),
   * cannot be known, or contains images.
   */
  render(messages: readonly ChatMessage[], context: ChatContext = {}): string | null {
    const pieces = this.pieces(messages, context);
    return pieces && [...pieces].join("");
  }

  /** The same in pieces, written while they are read: joining 10 MB blocks for 7 to 14 ms. */
  pieces(messages: readonly ChatMessage[], context: ChatContext = {}): Iterable<string> | null {
    const parts = this.parts(messages, context);
    return parts && written(parts);
  }

  private parts(messages: readonly ChatMessage[], context: ChatContext): Part[] | null {
    const key = contextKey(messages, context);
    if (!isRenderable(messages)) return null;
    if (!this.unfit.has(key)) return this.assemble(messages, key);
    return this.hoisting.has(key) ? this.assemble(hoisted(messages).order, hoistedKey(key)) : null;
  }

  private assemble(messages: readonly ChatMessage[], key: string): Part[] | null {
    const shapes = messageShapes(messages, this.opaqueCalls);
    const parts: Part[] = [];
    let since = "^";
    for (let index = 0; index < messages.length; index++) {
      const frame = this.frames.get(`${key} ${shapes[index]}`);
      if (frame === undefined) return null;
      since += shapes[index];
      if (frame.slots.length === 0) continue;
      const gap = this.gap(`${key} ${since}`);
      const filled = fillFrame(frame, messages[index] as ChatMessage);
      if (gap === null || filled === null) return null;
      parts.push(gap, ...filled);
      since = shapes[index] as string;
    }
    const end = this.gap(`${key} ${since}$`);
    if (end === null) return null;
    parts.push(end);
    return parts;
  }

  /** Whether {@link render} can write these messages; writes nothing. */
  isKnown(messages: readonly ChatMessage[], context: ChatContext = {}): boolean {
    return this.parts(messages, context) !== null;
  }

  /** False when prompts of this kind cannot be assembled exactly, whatever is probed. */
  isLearnable(messages: readonly ChatMessage[], context: ChatContext = {}): boolean {
    if (!isRenderable(messages)) return false;
    const key = contextKey(messages, context);
    return !this.unfit.has(key) || (hasLateSystem(messages) && !this.notHoisting.has(key));
  }

  /**
   * Learns what is missing to {@link render} these messages: two or three probes of marker texts the first time, one
   * for each new transition afterwards. Rejects with whatever the probe rejects with.
   */
  async learn(messages: readonly ChatMessage[], context: ChatContext, probe: RenderProbe): Promise<void> {
    if (!this.isLearnable(messages, context) || this.isKnown(messages, context)) return;
    const key = contextKey(messages, context);
    if (!this.unfit.has(key)) await this.learnNeighbours(messages, context, probe);
    if (this.unfit.has(key) && hasLateSystem(messages)) await this.learnHoisting(messages, context, probe);
  }

  private async learnNeighbours(
    messages: readonly ChatMessage[],
    context: ChatContext,
    probe: RenderProbe,
  ): Promise<void> {
    const key = contextKey(messages, context);
    const short = shorten(messages, this.opaqueCalls, PROBE_MESSAGES);
    for (const lesson of [short, stretched(messages, 3)]) {
      if (this.isKnown(lesson, context)) continue;
      const rendered = await probe(markedMessages(lesson, this.opaqueCalls), context.tools, context.think);
      if (rendered === null) return;
      const anatomy = dissect(rendered);
      if (!this.opaqueCalls && hasOpaqueArguments(anatomy)) {
        this.opaqueCalls = true;
        return this.learnNeighbours(messages, context, probe);
      }
      if (!this.remember(lesson, key, anatomy)) this.unfit.add(key);
    }
    // What has no counterpart in plain turns is looked at as it is.
    const isPlain = !messages.some(hasThought) && !hasLateSystem(messages);
    for (const lesson of isPlain ? [stretched(messages, 2)] : [stretched(messages, 2), short]) {
      if ((await this.isAsRendered(lesson, context, probe)) === false) this.unfit.add(key);
    }
  }

  /** Learns pieces as if all system messages stood at the beginning, and something unseen where the later ones stood. */
  private async learnHoisting(
    messages: readonly ChatMessage[],
    context: ChatContext,
    probe: RenderProbe,
  ): Promise<void> {
    const key = contextKey(messages, context);
    const short = shorten(messages, this.opaqueCalls, PROBE_MESSAGES);
    for (const lesson of [short, withTurns(short)]) {
      const { order, places } = hoisted(lesson);
      if (this.assemble(order, hoistedKey(key)) !== null) continue;
      const rendered = await probe(markedMessages(lesson, this.opaqueCalls), context.tools, context.think);
      if (rendered === null) return;
      const { literals, slots } = dissect(rendered);
      const moved = slots.map((slot) => ({ ...slot, message: places[slot.message] as number }));
      if (this.remember(order, hoistedKey(key), { literals, slots: moved })) continue;
      this.hoisting.delete(key);
      this.notHoisting.add(key);
      return;
    }
    this.hoisting.add(key);
    let isSo: boolean | null = null;
    try {
      isSo = await this.isAsRendered(short, context, probe);
    } finally {
      // Unchecked, it is asked again with the next call.
      if (isSo !== true) this.hoisting.delete(key);
    }
    if (isSo === false) this.notHoisting.add(key);
  }

  /** Renders what was not learned as such, with other contents, and compares; null when either is not known. */
  private async isAsRendered(
    messages: readonly ChatMessage[],
    context: ChatContext,
    probe: RenderProbe,
  ): Promise<boolean | null> {
    const contents = ["\n\nA first line.\n", "x", "\tindented\n\n  more ", '{"a": "<b>"}\r\n'];
    const asked = messages.map((message, index) => {
      if (message.content.trim() === "") return message;
      const content = contents[index % contents.length] as string;
      return {
        ...message,
        content: hasThought(message) ? `<think>\na${THOUGHT_END}\n\n${content}` : content,
      };
    });
    const expected = this.render(asked, context);
    if (expected === null) return null;
    const rendered = await probe(asked, context.tools, context.think);
    return rendered === null ? null : rendered === expected;
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
      hoisting: [...this.hoisting].filter((key) => !key.includes("|tools:")),
    };
  }

  /** What was kept; anything else gives an empty layout. */
  static fromJSON(kept: unknown, now?: () => Date): ChatLayout {
    const layout = new ChatLayout(now);
    if (typeof kept !== "object" || kept === null || (kept as Kept).version !== VERSION) return layout;
    const { gaps, frames, unfit, hoisting = [] } = kept as Kept;
    for (const [key, piece] of Object.entries(gaps)) layout.gaps.set(key, piece);
    for (const [key, frame] of Object.entries(frames)) layout.frames.set(key, frame);
    for (const key of unfit) layout.unfit.add(key);
    for (const key of hoisting) layout.hoisting.add(key);
    return layout;
  }
}

/** Images have no text. */
function isRenderable(messages: readonly ChatMessage[]): boolean {
  return messages.every(({ images }) => !images?.length);
}

function fillFrame({ literals, slots }: Frame, message: ChatMessage): Part[] | null {
  const parts: Part[] = [literals[0] ?? ""];
  for (const [index, slot] of slots.entries()) {
    const field = fieldAt(slot, message);
    if (field === undefined) return null;
    parts.push({ form: slot.form, field }, literals[index + 1] ?? "");
  }
  return parts;
}

function* written(parts: readonly Part[]): Generator<string> {
  for (const part of parts) {
    if (typeof part === "string") yield part;
    else yield* writeField(part.form, part.field);
  }
}

function hoistedKey(key: string): string {
  return `${key}hoisted|`;
}

const TURN: readonly ChatMessage[] = [
  { role: "user", content: "x" },
  { role: "assistant", content: "x" },
];

/** A conversation with plain turns at its beginning. */
function withTurns(messages: readonly ChatMessage[]): ChatMessage[] {
  const first = messages.findIndex(({ role }) => role !== "system");
  return [...messages.slice(0, first), ...TURN, ...TURN, ...messages.slice(first)];
}

/** The beginning and the end of a conversation with plain turns between: what it will look like when it grows. */
function stretched(messages: readonly ChatMessage[], turns: number): ChatMessage[] {
  const lastUser = messages.map(({ role }) => role).lastIndexOf("user");
  const head = messages[0]?.role === "system" ? [messages[0]] : [];
  const tail = lastUser < 0 ? [] : messages.slice(lastUser);
  return [...head, ...Array.from({ length: turns }, () => TURN).flat(), ...tail.slice(0, PROBE_MESSAGES)];
}
