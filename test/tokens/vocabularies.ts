/** Small vocabularies made by hand: every byte, a few merges, control tokens. */
import { byteSymbol } from "../../src/tokens/byteAlphabet.js";
import { readVocabulary, type Vocabulary } from "../../src/tokens/vocabulary.js";

const control = ["<|im_start|>", "<|im_end|>"];
const merges = [
  "h e",
  "l l",
  "he ll",
  "hell o",
  "Ġ hello",
  "Ġ Ġ",
  "ĠĠ ĠĠ",
  "e l",
  "u s",
  "us er",
  "e r",
  "o r",
];

function tokenizerKeys(kind: "bytes" | "scores"): Record<string, unknown> {
  if (kind === "bytes") {
    const tokens = Array.from({ length: 256 }, (_, byte) => byteSymbol(byte));
    for (const merge of merges) tokens.push(merge.replace(" ", ""));
    tokens.push(...control, "<tool>");
    const types = tokens.map((token) => (control.includes(token) ? 3 : token === "<tool>" ? 4 : 1));
    return { model: "gpt2", pre: "qwen2", tokens, merges, token_type: types };
  }
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const words = [
    ..."abcdehlorw",
    "▁",
    "he",
    "ll",
    "hell",
    "hello",
    "▁hello",
    "▁w",
    "or",
    "ld",
    "▁wor",
    "▁world",
  ];
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...words];
  return {
    model: "llama",
    tokens,
    scores: tokens.map((_, id) => (id < 259 ? 0 : -id)),
    token_type: tokens.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1)),
  };
}

/** What `/api/show` would say of such a model. */
export function show(kind: "bytes" | "scores", more: Record<string, unknown> = {}): object {
  const keys = Object.entries({ ...tokenizerKeys(kind), ...more });
  return { model_info: Object.fromEntries(keys.map(([key, value]) => [`tokenizer.ggml.${key}`, value])) };
}

/** In two parts, as a socket may bring it. */
export function showReply(kind: "bytes" | "scores", more: Record<string, unknown> = {}): Uint8Array[] {
  const bytes = Buffer.from(JSON.stringify(show(kind, more)));
  return [bytes.subarray(0, 100), bytes.subarray(100)];
}

export function vocabulary(kind: "bytes" | "scores", more: Record<string, unknown> = {}): Vocabulary {
  return readVocabulary(show(kind, more));
}
