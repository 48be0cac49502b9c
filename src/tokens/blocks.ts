import { isHighSurrogate } from "./encoder.js";

/** Text is worked off in blocks of about this many UTF-16 units, 5-20 ms each: short jobs get in between, and memory
 * stays bounded. A run without any break is cut there too, at the cost of a token or two. */
const BLOCK = 65_536;
/** How far before the end of a block a place is looked for where cutting changes nothing. */
const LOOKBACK = 4_096;
/** Between a letter and a space with a letter behind it, or a letter and Chinese punctuation, every pattern splits. */
const SAFE_CUT = /\p{L}(?= \p{L}|[。，、！？])/gu;

/** Cuts a text into blocks where no pattern would join what stands on both sides. */
export function* blocks(text: string): Generator<string> {
  let start = 0;
  while (text.length - start > BLOCK) {
    const end = start + cutIn(text.slice(start, start + BLOCK));
    yield text.slice(start, end);
    start = end;
  }
  if (start < text.length) yield start === 0 ? text : text.slice(start);
}

/** True for a block that took long enough to let others in. */
export function isLongBlock(block: string): boolean {
  return block.length > BLOCK / 2;
}

/** Where to cut a block: as late as possible where it changes nothing, or at its end. */
function cutIn(block: string): number {
  const from = block.length - LOOKBACK;
  let cut = 0;
  for (const match of block.slice(from).matchAll(SAFE_CUT)) cut = from + match.index + match[0].length;
  if (cut > 0) return cut;
  return isHighSurrogate(block.charCodeAt(block.length - 1)) ? block.length - 1 : block.length;
}
