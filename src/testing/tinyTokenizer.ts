/** A handmade byte-level BPE vocabulary of about 400 tokens: small enough to read, real enough to count with. */
import { byteToCharacter, spellBytes } from "./byteAlphabet.js";
import type { TokenizerFile } from "./tokenizer.js";

const words =
  "the of and to in is it you that he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who its now find long down day did get come made may part";

/**
 * @param pre which split pattern; any name that `splitPatterns` knows
 * @param addsBos every prompt begins with one more token
 * @example tinyTokenizer().tokens.length // about 400
 */
export function tinyTokenizer(pre = "qwen2", addsBos = true): TokenizerFile {
  const merges: string[] = [];
  const tokens = [...byteToCharacter];
  const known = new Set(tokens);
  for (const word of words.split(" ")) {
    let left = "Ġ";
    for (const character of spellBytes(word)) {
      if (!known.has(left + character)) {
        known.add(left + character);
        tokens.push(left + character);
        merges.push(`${left} ${character}`);
      }
      left += character;
    }
  }
  const controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
  return {
    pre,
    tokens: [...tokens, ...controls],
    tokenTypes: [...tokens.map(() => 1), ...controls.map(() => 3)],
    merges,
    bosTokenId: tokens.length,
    eosTokenId: tokens.length + 2,
    addsBos,
  };
}
