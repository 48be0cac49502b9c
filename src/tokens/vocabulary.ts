import { OptimizerError } from "../errors.js";
import { preTokenizer } from "./patterns.js";

/** `tokenizer.ggml.token_type`, as llama.cpp numbers it. */
export const TokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** A model's tokenizer as plain data: what `/api/show` says, resolved so far that building is quick. */
export interface Vocabulary {
  /** `bytes`: byte-level BPE; `characters`: BPE on characters (Gemma 4); `scores`: SentencePiece. */
  readonly kind: "bytes" | "characters" | "scores";
  readonly pre: string;
  /** A space goes before text that follows the start or a control token (SentencePiece). */
  readonly addSpacePrefix: boolean;
  /** The server strips white space behind control tokens (Phi-3). */
  readonly stripsAfterControl: boolean;
  /** By id; symbols that only merges name follow behind the tokens. */
  readonly texts: readonly string[];
  /** How many of `texts` are tokens. */
  readonly size: number;
  /** {@link TokenType} by id. */
  readonly types: Uint8Array;
  /** Triples: left id, right id, merged id; in order of rank. Empty for `scores`. */
  readonly merges: Uint32Array;
  /** Score by id; empty for BPE. */
  readonly scores: Float32Array;
}

/**
 * llama.cpp makes these control tokens whatever their type says, since converters often forget it
 * (`llama_vocab::impl::load`).
 */
const alwaysControl = new Set(
  (
    "<|eot_id|> <|im_end|> <|end|> <|return|> <|call|> <|flush|> <|calls|> <end_of_turn> <|endoftext|> </s> <|eom_id|> " +
    "<EOT> _<EOT> [EOT] [EOS] <|end_of_text|> <end_of_utterance> <eos> <turn|> <|tool_response> <｜end▁of▁sentence｜> [e~[ " +
    "<|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> <|code_prefix|> <|prefix|> " +
    "<|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF> <|code_suffix|> <|suffix|> " +
    "<|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> <|code_middle|> <|middle|> " +
    "<|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD] <|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame> <|file_sep|>"
  ).split(" "),
);

/**
 * Reads the reply of `POST /api/show {verbose: true}`.
 *
 * @throws OptimizerError `TOKENIZER_UNSUPPORTED` for WordPiece, Unigram and unknown `.pre`
 */
export function readVocabulary(reply: unknown): Vocabulary {
  const info = (reply as { model_info?: Record<string, unknown> } | null)?.model_info ?? {};
  const key = (name: string): unknown => info[`tokenizer.ggml.${name}`];
  const model = String(key("model") ?? "");
  const tokens = key("tokens");
  if (!Array.isArray(tokens) || tokens.length === 0) {
    throw unsupported(`tokenizer.ggml.tokens of a ${model || "nameless"} tokenizer is missing`);
  }
  const size = tokens.length;
  const texts = tokens.map((text, id) => String(text) || `[EMPTY_${id}]`);
  const types = new Uint8Array(size).fill(TokenType.normal);
  const givenTypes = key("token_type");
  if (Array.isArray(givenTypes)) types.set(givenTypes.slice(0, size));
  texts.forEach((text, id) => {
    if (alwaysControl.has(text)) types[id] = TokenType.control;
  });
  const common = {
    size,
    types,
    stripsAfterControl: model === "llama" && info["general.architecture"] === "phi3",
  };
  const addSpacePrefix = key("add_space_prefix");
  if (model === "llama") {
    return {
      ...common,
      kind: "scores",
      pre: "",
      texts,
      addSpacePrefix: typeof addSpacePrefix === "boolean" ? addSpacePrefix : true,
      merges: new Uint32Array(),
      scores: Float32Array.from(Array.isArray(key("scores")) ? (key("scores") as number[]) : []),
    };
  }
  const pre = model === "gemma4" ? "gemma4" : String(key("pre") || "default");
  const known = preTokenizer(pre);
  const merges = key("merges");
  if ((model !== "gpt2" && model !== "gemma4") || known === null || !Array.isArray(merges)) {
    throw unsupported(`the tokenizer "${model}" with the pre-tokenizer "${pre}" cannot be rebuilt`);
  }
  return {
    ...common,
    kind: known.characters ? "characters" : "bytes",
    pre,
    addSpacePrefix: false,
    merges: resolveMerges(merges, texts),
    texts,
    scores: new Float32Array(),
  };
}

/** "left right" lines as id triples; what is no token is appended to `texts`, since llama.cpp merges through it. */
function resolveMerges(lines: readonly unknown[], texts: string[]): Uint32Array {
  const ids = new Map<string, number>();
  texts.forEach((text, id) => {
    ids.set(text, id);
  });
  const idOf = (text: string): number => {
    const known = ids.get(text);
    if (known !== undefined) return known;
    ids.set(text, texts.length);
    return texts.push(text) - 1;
  };
  const triples = new Uint32Array(lines.length * 3);
  let length = 0;
  for (const line of lines) {
    const text = String(line);
    const space = text.indexOf(" ", 1);
    if (space < 0) continue;
    const left = text.slice(0, space);
    const right = text.slice(space + 1);
    triples[length++] = idOf(left);
    triples[length++] = idOf(right);
    triples[length++] = idOf(left + right);
  }
  return triples.subarray(0, length);
}

function unsupported(message: string): OptimizerError {
  return new OptimizerError({
    code: "TOKENIZER_UNSUPPORTED",
    message,
    remedy: "Counts of this model stay upper bounds and estimates; nothing needs to be done.",
  });
}
