import { TokenType, type Vocabulary } from "./vocabulary.js";

/** A part of a prompt: text to encode, or a token that stands for itself. */
export type Part = { readonly text: string; readonly afterControl: boolean } | { readonly id: number };

/** Matches any of these texts, the longest first; null without texts. */
export function anyOf(texts: readonly string[]): RegExp | null {
  if (texts.length === 0) return null;
  const byLength = [...texts].sort((a, b) => b.length - a.length);
  return new RegExp(byLength.map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|"), "g");
}

/**
 * More alternatives take long to compile where a prompt is cut: 256 take 1 ms, 6,242 (Gemma 3) take 25. Tokens that no
 * template writes are left out first.
 */
const MOST_BOUNDARIES = 256;
const PLACEHOLDER = /unused|reserved|extra_id/i;

/** Phi-3 strips white space behind all control tokens but these. */
const keepsSpaceAfter = new Set(["<unk>", "<s>", "<|endoftext|>"]);

/**
 * Finds control, user-defined and unknown tokens written out in a text, as llama.cpp does in chat prompts
 * (`tokenizer_st_partition`). It looks for the longest token first, here the leftmost comes first: the same unless
 * the end of one token is the beginning of another.
 */
export class ControlTokens {
  private readonly ids = new Map<string, number>();
  private readonly expression: RegExp | null;
  private readonly strips: boolean;

  /**
   * Control tokens where a prompt can be cut into parts that are counted apart: nothing merges across them, no other
   * token overlaps them, and they change nothing around them.
   */
  readonly boundaries: readonly string[];

  constructor(vocabulary: Vocabulary) {
    const { texts, types, size } = vocabulary;
    const control: string[] = [];
    for (let id = 0; id < size; id++) {
      const type = types[id];
      if (type !== TokenType.control && type !== TokenType.userDefined && type !== TokenType.unknown)
        continue;
      this.ids.set(texts[id] as string, id);
      if (type === TokenType.control) control.push(texts[id] as string);
    }
    this.strips = vocabulary.stripsAfterControl;
    this.expression = anyOf([...this.ids.keys()]);
    const isEntangled = entangled([...this.ids.keys()]);
    const apart = this.strips ? [] : control.filter((text) => !isEntangled(text));
    this.boundaries = [
      ...apart.filter((text) => !PLACEHOLDER.test(text)),
      ...apart.filter((text) => PLACEHOLDER.test(text)),
    ].slice(0, MOST_BOUNDARIES);
  }

  /** Cuts a text at its control tokens. */
  split(text: string): Part[] {
    const parts: Part[] = [];
    if (this.expression === null) return text === "" ? [] : [{ text, afterControl: true }];
    let end = 0;
    let afterControl = true;
    this.expression.lastIndex = 0;
    for (let match = this.expression.exec(text); match !== null; match = this.expression.exec(text)) {
      if (match.index > end) parts.push({ text: text.slice(end, match.index), afterControl });
      parts.push({ id: this.ids.get(match[0]) as number });
      end = this.expression.lastIndex;
      if (this.strips && !keepsSpaceAfter.has(match[0])) {
        while (/[ \t\n\v\f\r]/.test(text.charAt(end))) end++;
        this.expression.lastIndex = end;
      }
      afterControl = true;
    }
    if (end < text.length) parts.push({ text: end === 0 ? text : text.slice(end), afterControl });
    return parts;
  }
}

/** Whether a token shares characters with another wherever both could stand: its end, its beginning or its inside. */
function entangled(tokens: readonly string[]): (token: string) => boolean {
  const heads = new Set<string>();
  const tails = new Set<string>();
  const insides = new Set<string>();
  for (const token of tokens) {
    for (let length = 1; length <= token.length; length++) {
      heads.add(token.slice(0, length));
      tails.add(token.slice(-length));
    }
  }
  const all = new Set(tokens);
  for (const token of tokens) {
    for (let start = 0; start < token.length; start++) {
      for (let end = start + 1; end <= token.length; end++) {
        const inside = token.slice(start, end);
        if (inside.length < token.length && all.has(inside)) insides.add(inside).add(token);
      }
    }
  }
  return (token) => {
    if (insides.has(token)) return true;
    for (let length = 1; length < token.length; length++) {
      if (heads.has(token.slice(-length)) || tails.has(token.slice(0, length))) return true;
    }
    return false;
  };
}
