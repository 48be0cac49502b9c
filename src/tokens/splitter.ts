import { type SplitStep, stepExpression } from "./patterns.js";

/** Splits a piece into matches and what lies between; llama.cpp's "isolated" behaviour. */
type Split = (piece: string, emit: (piece: string) => void) => void;

/**
 * Splits text by several steps, each on the pieces of the one before.
 *
 * @example splitter(["\\p{N}"])("ab12", (piece) => console.log(piece)) // logs "ab", "1", "2"
 */
export function splitter(steps: readonly SplitStep[]): Split {
  return steps
    .map((step) => (step === "digitGroups" ? splitDigitGroups : splitByPattern(step)))
    .reduceRight((rest: Split | null, first: Split): Split => {
      if (rest === null) return first;
      return (piece, emit) => first(piece, (part) => rest(part, emit));
    }, null) as Split;
}

function splitByPattern(step: string): Split {
  const expression = stepExpression(step, "gu");
  return (piece, emit) => {
    let end = 0;
    expression.lastIndex = 0;
    for (let match = expression.exec(piece); match !== null; match = expression.exec(piece)) {
      if (match.index > end) emit(piece.slice(end, match.index));
      emit(match[0]);
      end = expression.lastIndex;
    }
    if (end < piece.length) emit(end === 0 ? piece : piece.slice(end));
  };
}

const DIGITS = /\p{N}+/gu;

/** llama.cpp's `unicode_regex_split_custom_afmoe`: what stands before a number goes with its first group. */
const splitDigitGroups: Split = (piece, emit) => {
  let end = 0;
  for (const run of piece.matchAll(DIGITS)) {
    const digits = Array.from(run[0]);
    let from = 0;
    let position = run.index;
    while (from < digits.length) {
      const size = from === 0 ? digits.length % 3 || 3 : 3;
      for (const digit of digits.slice(from, from + size)) position += digit.length;
      emit(piece.slice(end, position));
      end = position;
      from += size;
    }
  }
  if (end < piece.length) emit(piece.slice(end));
};
