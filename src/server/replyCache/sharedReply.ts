/** Equal calls at the same time: one reply, and several that read it. */
import { unlessAborted } from "../../cache/flights.js";
import type { EngineChunk, EngineReply } from "../../engine/types.js";
import { clientLeft } from "../bodyStream.js";

/**
 * One reply for several readers, each from its beginning and at its own pace. Nothing is read ahead of the fastest
 * one. The call is aborted when the last reader has left before the end.
 */
export class SharedReply {
  /** Resolves with the first line. */
  readonly opened: Promise<EngineReply>;
  readonly #abort = new AbortController();
  readonly #chunks: EngineChunk[] = [];
  #iterator: AsyncIterator<EngineChunk> | undefined;
  /** The chunk that all wait for; stays when there is no further one. */
  #next: Promise<boolean> | null = null;
  #readers = 0;
  #isOver = false;

  /** @param over told once: all chunks of a reply that is whole, null for one that is not and never will be */
  constructor(
    send: (signal: AbortSignal) => Promise<EngineReply>,
    private readonly over: (chunks: readonly EngineChunk[] | null) => void,
  ) {
    this.opened = send(this.#abort.signal);
    this.opened.catch(() => this.#end(null));
  }

  /**
   * One more reader.
   *
   * @param signal ends the reading of this one alone
   * @throws the signal's reason, and what the call throws before its first line
   */
  async join(signal: AbortSignal): Promise<AsyncIterable<EngineChunk>> {
    this.#readers++;
    let isHere = true;
    const leave = (): void => {
      if (isHere) this.#left();
      isHere = false;
      signal.removeEventListener("abort", leave);
    };
    signal.addEventListener("abort", leave);
    try {
      const { chunks } = await unlessAborted(this.opened, signal);
      this.#iterator ??= chunks[Symbol.asyncIterator]();
      return this.#read(signal, leave);
    } catch (error) {
      leave();
      throw error;
    }
  }

  async *#read(signal: AbortSignal, leave: () => void): AsyncGenerator<EngineChunk> {
    try {
      for (let at = 0; ; at++) {
        // Asks for nothing on behalf of one who has left.
        signal.throwIfAborted();
        if (at === this.#chunks.length && !(await unlessAborted(this.#more(), signal))) return;
        yield this.#chunks[at]!;
      }
    } finally {
      leave();
    }
  }

  /** Whether there is one more chunk. */
  #more(): Promise<boolean> {
    this.#next ??= this.#pull();
    return this.#next;
  }

  async #pull(): Promise<boolean> {
    try {
      const { done, value } = await this.#iterator!.next();
      if (done) {
        this.#end(null);
        return false;
      }
      this.#chunks.push(value);
      if (value.data.done) this.#end(this.#chunks);
      this.#next = null;
      return true;
    } catch (error) {
      this.#end(null);
      throw error;
    }
  }

  #left(): void {
    this.#readers--;
    if (this.#readers > 0) return;
    if (!this.#isOver) {
      this.#end(null);
      this.#abort.abort(clientLeft());
    }
    this.#iterator?.return?.().catch(() => {});
  }

  #end(chunks: readonly EngineChunk[] | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.over(chunks);
  }
}
