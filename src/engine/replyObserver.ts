/** Watches a reply go by: times, figures, and as much of its text as judging its quality needs. */
import type { WireChunk } from "../backend/wire.js";

/** Characters of the reply kept: its tail, where repetition loops are, and whole short JSON replies. */
const KEPT = 65_536;

export class ReplyObserver {
  /** Milliseconds of the engine's clock at the first chunk with output; null before. */
  firstOutputAt: number | null = null;
  toolCalls = 0;
  /** The final line. */
  final: WireChunk | null = null;
  /** The last part of the reply's text. */
  text = "";
  /** Whether text was left out in front of {@link text}. */
  isTail = false;
  hasOutput = false;

  constructor(private readonly now: () => number) {}

  see(chunk: WireChunk): void {
    const content = chunk.message?.content || chunk.response || "";
    const thinking = chunk.message?.thinking || chunk.thinking || "";
    const calls = chunk.message?.tool_calls?.length ?? 0;
    if (content !== "" || thinking !== "" || calls > 0) {
      this.firstOutputAt ??= this.now();
      this.hasOutput = true;
    }
    this.toolCalls += calls;
    if (content !== "") {
      this.text += content;
      if (this.text.length > 2 * KEPT) {
        this.text = this.text.slice(-KEPT);
        this.isTail = true;
      }
    }
    if (chunk.done === true) this.final = chunk;
  }
}

/** Nanoseconds, as Ollama tells them, to milliseconds. */
export function milliseconds(nanoseconds: number | undefined): number | null {
  return nanoseconds === undefined ? null : nanoseconds / 1e6;
}
