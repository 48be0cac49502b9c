/**
 * A real language model of 13 MB with random weights: what it says is nonsense, but it loads, counts, fills
 * windows and takes time like any other. Llama architecture, 4 layers of 256, 4 heads, about 400 tokens.
 */

import { chatTemplate } from "./chatTemplate.js";
import { type GgufTensor, type GgufValue, ggufFile } from "./gguf.js";
import { tinyTokenizer } from "./tinyTokenizer.js";
import type { TokenizerFile } from "./tokenizer.js";

/** How the model is made. */
export interface TinyModelOptions {
  /** Trained window in tokens; default 131,072. */
  readonly trainedNumCtx?: number;
  /** Other seeds give other words. Default 1. */
  readonly seed?: number;
  readonly tokenizer?: TokenizerFile;
  /** Default true: a reply ends by itself after some dozens of tokens. Else only at its limit. */
  readonly endsReplies?: boolean;
}

const size = { layers: 4, width: 256, heads: 4, feedForward: 688 } as const;

/**
 * The model as a GGUF file; the same options give the same bytes.
 *
 * @example writeFileSync("tiny.gguf", tinyModelFile({ seed: 7 })) // `ollama create tiny` takes it FROM there
 */
export function tinyModelFile(options: TinyModelOptions = {}): Buffer {
  const tokenizer = options.tokenizer ?? tinyTokenizer();
  return ggufFile(
    metadata(tokenizer, options.trainedNumCtx ?? 131_072),
    tensors(tokenizer, options.seed ?? 1, options.endsReplies ?? true),
  );
}

/**
 * Without `head_count` or `feed_forward_length` llama.cpp aborts the whole process instead of failing.
 */
function metadata(tokenizer: TokenizerFile, trainedNumCtx: number): Record<string, GgufValue> {
  const count = (value: number): GgufValue => ({ type: "uint32", value });
  const word = (value: string): GgufValue => ({ type: "string", value });
  return {
    "general.architecture": word("llama"),
    "general.name": word("tiny"),
    "general.file_type": count(0),
    "llama.context_length": count(trainedNumCtx),
    "llama.embedding_length": count(size.width),
    "llama.block_count": count(size.layers),
    "llama.feed_forward_length": count(size.feedForward),
    "llama.attention.head_count": count(size.heads),
    "llama.attention.head_count_kv": count(size.heads),
    "llama.attention.layer_norm_rms_epsilon": { type: "float32", value: 1e-5 },
    "llama.rope.dimension_count": count(size.width / size.heads),
    "llama.rope.freq_base": { type: "float32", value: 10_000 },
    "llama.vocab_size": count(tokenizer.tokens.length),
    "tokenizer.ggml.model": word("gpt2"),
    "tokenizer.ggml.pre": word(tokenizer.pre),
    "tokenizer.ggml.tokens": { type: "strings", value: tokenizer.tokens },
    "tokenizer.ggml.token_type": { type: "int32s", value: tokenizer.tokenTypes },
    "tokenizer.ggml.merges": { type: "strings", value: tokenizer.merges },
    "tokenizer.ggml.bos_token_id": count(tokenizer.bosTokenId),
    "tokenizer.ggml.eos_token_id": count(tokenizer.eosTokenId),
    "tokenizer.ggml.add_bos_token": { type: "bool", value: tokenizer.addsBos },
    "tokenizer.chat_template": word(chatTemplate([])),
  };
}

function tensors(tokenizer: TokenizerFile, seed: number, endsReplies: boolean): GgufTensor[] {
  const random = normal(seed);
  const { width, feedForward } = size;
  const vocabulary = tokenizer.tokens.length;
  const weights = (name: string, rows: number, columns: number, deviation: number): GgufTensor => ({
    name: `${name}.weight`,
    shape: [columns, rows],
    data: Float32Array.from({ length: rows * columns }, () => random() * deviation),
  });
  const ones = (name: string): GgufTensor => ({
    name: `${name}.weight`,
    shape: [width],
    data: new Float32Array(width).fill(1),
  });
  const result = [weights("token_embd", vocabulary, width, 1), ones("output_norm")];
  const output = weights("output", vocabulary, width, 0.3);
  // Only words may win: single bytes are no UTF-8, which 0.34.0 answers with an empty reply.
  tokenizer.tokens.forEach((token, id) => {
    const isWord = /^Ġ?[a-z]{2,}$/.test(token) || (endsReplies && id === tokenizer.eosTokenId);
    if (!isWord) output.data.fill(0, id * width, (id + 1) * width);
  });
  result.push(output);
  for (let layer = 0; layer < size.layers; layer++) {
    const name = `blk.${layer}.`;
    result.push(ones(`${name}attn_norm`), ones(`${name}ffn_norm`));
    for (const part of ["attn_q", "attn_k", "attn_v", "attn_output"])
      result.push(weights(name + part, width, width, 0.06));
    result.push(
      weights(`${name}ffn_gate`, feedForward, width, 0.06),
      weights(`${name}ffn_up`, feedForward, width, 0.06),
    );
    result.push(weights(`${name}ffn_down`, width, feedForward, 0.04));
  }
  return result;
}

/** Nearly normal numbers, mean 0, deviation 1: sums of three of mulberry32's. */
function normal(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => (uniform() + uniform() + uniform() - 1.5) * 2;
}
