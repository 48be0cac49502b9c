import { BytePairEncoder } from "./bytePairs.js";
import { ControlTokens } from "./controlTokens.js";
import { isHighSurrogate, type PieceEncoder } from "./encoder.js";
import { SentencePieceEncoder } from "./sentencePiece.js";
import type { Vocabulary } from "./vocabulary.js";
import { wellFormed } from "./wellFormed.js";

/** Text is worked off in blocks of about this many UTF-16 units, 5-20 ms each, so that short jobs get in between. */
const BLOCK = 65_536;
/** How far before the end of a block a place is looked for where cutting changes nothing. */
const LOOKBACK = 4_096;
/** Between a letter and a space with a letter behind it, or a letter and Chinese punctuation, every pattern splits. */
const SAFE_CUT = /\p{L}(?= \p{L}|[。，、！？])/gu;

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
        if (block.length > BLOCK / 2) yield;
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

function* blocks(text: string): Generator<string> {
  let start = 0;
  while (text.length - start > BLOCK) {
    const end = start + cutIn(text.slice(start, start + BLOCK));
    yield text.slice(start, end);
    start = end;
  }
  if (start < text.length) yield start === 0 ? text : text.slice(start);
}

/** Where to cut a block: as late as possible where it changes nothing, or at its end. */
function cutIn(block: string): number {
  const from = block.length - LOOKBACK;
  let cut = 0;
  for (const match of block.slice(from).matchAll(SAFE_CUT)) cut = from + match.index + match[0].length;
  if (cut > 0) return cut;
  return isHighSurrogate(block.charCodeAt(block.length - 1)) ? block.length - 1 : block.length;
}
