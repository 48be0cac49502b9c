import { blocks, isLongBlock } from "./blocks.js";
import { BytePairEncoder } from "./bytePairs.js";
import { ControlTokens } from "./controlTokens.js";
import type { PieceEncoder } from "./encoder.js";
import { SentencePieceEncoder } from "./sentencePiece.js";
import type { Vocabulary } from "./vocabulary.js";
import { wellFormed } from "./wellFormed.js";

/** A model's tokenizer. Ids are its vocabulary's; the bos that a server adds by itself is not included. */
export class Tokenizer {
  private readonly control: ControlTokens;
  private readonly encoder: PieceEncoder;

  constructor(private readonly vocabulary: Vocabulary) {
    this.control = new ControlTokens(vocabulary);
    this.encoder =
      vocabulary.kind === "scores" ? new SentencePieceEncoder(vocabulary) : new BytePairEncoder(vocabulary);
  }

  /** See {@link ControlTokens.boundaries}. */
  get boundaries(): readonly string[] {
    return this.control.boundaries;
  }

  /** Tokens of a text. */
  count(text: string): number {
    const steps = this.countInSteps(text);
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  /** Counts block by block; yields after each. */
  *countInSteps(text: string): Generator<void, number> {
    let total = 0;
    for (const part of this.parts(text)) {
      if ("id" in part) {
        total++;
        continue;
      }
      for (const block of blocks(part.text)) {
        total += this.encoder.count(block);
        if (isLongBlock(block)) yield;
      }
    }
    return total;
  }

  /** Ids of a text. */
  encode(text: string): Uint32Array {
    const ids: number[] = [];
    for (const part of this.parts(text)) {
      if ("id" in part) ids.push(part.id);
      else for (const block of blocks(part.text)) this.encoder.encode(block, ids);
    }
    return Uint32Array.from(ids);
  }

  private *parts(text: string): Generator<{ readonly text: string } | { readonly id: number }> {
    for (const part of this.control.split(wellFormed(text))) {
      if ("text" in part && part.afterControl && this.vocabulary.addSpacePrefix)
        yield { text: ` ${part.text}` };
      else yield part;
    }
  }
}
