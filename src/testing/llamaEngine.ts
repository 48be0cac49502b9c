/**
 * Real inference by node-llama-cpp on the CPU: windows, batches, prefix cache, durations, reloads and memory are
 * what llama.cpp makes of them. One slot per model; what leaves it is not kept (as in Ollama before 0.30).
 */
import { randomUUID } from "node:crypto";
import { access, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OptimizerError } from "../errors.js";
import type { Engine, GenerateEvent, GenerateRequest, LoadRequest, Runner } from "./engine.js";
import type { ServedModel } from "./model.js";
import {
  type GgufMetadata,
  importNodeLlamaCpp,
  type Llama,
  type LlamaContext,
  type LlamaModel,
  type LlamaSequence,
  type NodeLlamaCpp,
} from "./nodeLlamaCpp.js";
import { tinyModelFile } from "./tinyModel.js";
import type { Piece, Tokenizer, TokenizerFile } from "./tokenizer.js";

/** Which model runs, and on how many threads. */
export interface LlamaEngineOptions {
  /** A GGUF file; default a generated one with random weights, written once to the temporary folder. */
  readonly modelPath?: string;
  /**
   * Threads of llama.cpp; default 1. On a busy machine with 2 cores one thread made 810 tokens/s, two 66 and
   * four 2.
   */
  readonly threads?: number;
}

/**
 * @throws OptimizerError `ENGINE_MISSING`, `ENGINE_MODEL_UNUSABLE` when the server starts
 * @example
 * const server = await startOllamaServer({ engine: llamaEngine(), models: [{ name: "tiny" }] });
 */
export function llamaEngine(options: LlamaEngineOptions = {}): Engine {
  let ready: Promise<Shared> | undefined;
  const shared = (): Promise<Shared> => {
    ready ??= prepare(options);
    return ready;
  };
  return {
    name: "llama",
    measures: true,
    async describe() {
      return (await shared()).description;
    },
    async load(request) {
      const { module, llama, modelPath } = await shared();
      const model = await llama.loadModel({ modelPath });
      const threads = request.options.num_thread || options.threads || 1;
      const context = await model.createContext({
        contextSize: request.numCtx,
        batchSize: Math.min(request.numBatch, Math.ceil(request.numCtx / 256) * 256),
        threads,
      });
      return new LlamaRunner(module, llama, model, context, request, threads);
    },
    async close() {
      if (!ready) return;
      const { vocabulary, llama } = await ready;
      await vocabulary.dispose();
      await llama.dispose();
    },
  };
}

interface Shared {
  readonly module: NodeLlamaCpp;
  readonly llama: Llama;
  readonly modelPath: string;
  /** The model without its weights, for the tokenizer. */
  readonly vocabulary: LlamaModel;
  readonly description: Partial<ServedModel>;
}

async function prepare(options: LlamaEngineOptions): Promise<Shared> {
  const module = await importNodeLlamaCpp();
  const modelPath = options.modelPath ?? (await generatedModel());
  const { metadata } = await module.readGgufFileInfo(modelPath).catch((cause: unknown) => {
    throw unusable(modelPath, "it is not a GGUF file", cause);
  });
  const architecture = String(branch(metadata, "general").architecture);
  const keys = branch(metadata, architecture);
  const attention = branch(keys, "attention");
  // llama.cpp aborts the process on a file without these.
  for (const [name, value] of Object.entries({
    context_length: keys.context_length,
    block_count: keys.block_count,
    feed_forward_length: keys.feed_forward_length,
    "attention.head_count": attention.head_count,
  })) {
    if (value === undefined) throw unusable(modelPath, `${architecture}.${name} is missing`);
  }
  const llama = await module.getLlama({ gpu: false, build: "never", logLevel: "error" });
  const vocabulary = await llama.loadModel({ modelPath, vocabOnly: true });
  const tokenizerFile = tokenizerOf(branch(branch(metadata, "tokenizer"), "ggml"));
  const heads = Number(attention.head_count);
  const keyHeads = Number(attention.head_count_kv ?? heads);
  const kvBytesPerToken =
    2 * 2 * Number(keys.block_count) * keyHeads * (Number(keys.embedding_length) / heads);
  return {
    module,
    llama,
    modelPath,
    vocabulary,
    description: {
      trainedNumCtx: Number(keys.context_length),
      embeddingLength: Number(keys.embedding_length),
      tokenizerFile,
      tokenizer: tokenizer(vocabulary, tokenizerFile?.bosTokenId),
      kvBytesPerToken,
    },
  };
}

/** Written beside and renamed, so that two processes never read half a file. */
async function generatedModel(): Promise<string> {
  const path = join(tmpdir(), "langchain-ollama-optimizer-tiny-1.gguf");
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists) return path;
  const beside = `${path}.${randomUUID()}`;
  await writeFile(beside, tinyModelFile());
  await rename(beside, path);
  return path;
}

function unusable(modelPath: string, reason: string, cause?: unknown): OptimizerError {
  return new OptimizerError({
    code: "ENGINE_MODEL_UNUSABLE",
    message: `The model file ${modelPath} cannot be used: ${reason}`,
    remedy: "Leave modelPath out to get a generated model, or give a complete GGUF file.",
    cause,
  });
}

function branch(metadata: GgufMetadata, key: string): GgufMetadata {
  return (metadata[key] ?? {}) as GgufMetadata;
}

/** null when it is no byte-level BPE with everything it needs. */
function tokenizerOf(keys: GgufMetadata): TokenizerFile | null {
  if (keys.model !== "gpt2" || !Array.isArray(keys.tokens) || !Array.isArray(keys.merges)) return null;
  return {
    pre: String(keys.pre ?? "default"),
    tokens: keys.tokens as string[],
    tokenTypes: (keys.token_type ?? []) as number[],
    merges: keys.merges as string[],
    bosTokenId: Number(keys.bos_token_id ?? -1),
    eosTokenId: Number(keys.eos_token_id ?? -1),
    addsBos: keys.add_bos_token === true,
  };
}

/** llama.cpp's own tokenizer, so that the server counts what the engine evaluates. */
function tokenizer(model: LlamaModel, bos: number | undefined): Tokenizer {
  const encode = (text: string): number[] => model.tokenize(text, true);
  const addsBos = bos !== undefined && bos >= 0;
  return {
    addsBos,
    encode,
    encodePrompt: (text) => (addsBos ? [bos, ...encode(text)] : encode(text)),
    pieces: (text): Piece[] =>
      encode(text).map((token) => ({ text: model.detokenize([token], true), tokens: 1 })),
  };
}

class LlamaRunner implements Runner {
  readonly sizeBytes: number;
  private readonly sequence: LlamaSequence;
  private embedding: ReturnType<LlamaModel["createEmbeddingContext"]> | undefined;

  constructor(
    private readonly module: NodeLlamaCpp,
    private readonly llama: Llama,
    private readonly model: LlamaModel,
    private readonly context: LlamaContext,
    private readonly loaded: LoadRequest,
    private readonly threads: number,
  ) {
    this.sequence = context.getSequence();
    this.sizeBytes = model.size + context.memoryUsage.ram;
  }

  async *generate(request: GenerateRequest): AsyncGenerator<GenerateEvent, void> {
    const { sequence, model } = this;
    const { tokens, signal } = request;
    const start = performance.now();
    const known = sequence.compareContextTokens(tokens).firstDifferentIndex;
    const cachedTokens = Math.min(known, tokens.length - 1);
    await sequence.adaptStateToTokens(tokens.slice(0, cachedTokens), false);
    // In steps of some batches, so that a client that leaves is noticed on a long prompt.
    const step = 4 * this.loaded.numBatch;
    let done = cachedTokens;
    for (; tokens.length - done > step; done += step) {
      await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(done, done + step));
      if (signal.aborted) return;
    }

    const room = this.context.contextSize - tokens.length;
    let promptEnd = 0;
    let count = 0;
    let reason: "stop" | "length" = "stop";
    let text = "";
    let sent = 0;
    let waiting: number[] = [];
    const output = sequence.evaluate(tokens.slice(done), await this.sampling(request));
    for await (const token of output) {
      if (count === 0) {
        promptEnd = performance.now();
        yield { type: "prompt", cachedTokens, durationMs: promptEnd - start };
      }
      if (signal.aborted) return;
      if (count >= request.limit || (!request.shift && count >= room)) {
        reason = "length";
        break;
      }
      count++;
      waiting.push(token);
      const piece = model.detokenize(waiting, false);
      if (piece.endsWith("\ufffd") && waiting.length < 8) continue;
      text += piece;
      const stopped = request.stop.map((word) => text.indexOf(word)).filter((at) => at >= 0);
      if (stopped.length > 0) text = text.slice(0, Math.min(...stopped));
      yield { type: "output", tokens: waiting.length, content: text.slice(sent) };
      sent = text.length;
      waiting = [];
      if (stopped.length > 0) break;
      if (count >= request.limit) {
        reason = "length";
        break;
      }
    }
    if (promptEnd === 0) {
      promptEnd = performance.now();
      yield { type: "prompt", cachedTokens, durationMs: promptEnd - start };
    }
    yield { type: "end", reason, durationMs: performance.now() - promptEnd, shifted: count > room };
  }

  async embed(texts: readonly (readonly number[])[]): Promise<number[][]> {
    this.embedding ??= this.model.createEmbeddingContext({
      contextSize: this.loaded.numCtx,
      threads: this.threads,
    });
    const context = await this.embedding;
    const result: number[][] = [];
    for (const tokens of texts) result.push([...(await context.getEmbeddingFor(tokens)).vector]);
    return result;
  }

  async close(): Promise<void> {
    await this.context.dispose();
    await this.model.dispose();
  }

  /** Ollama's defaults where they are known; half of what follows `num_keep` goes when the window is full. */
  private async sampling(request: GenerateRequest): Promise<object> {
    const options = request.call.options;
    const keep = (options.num_keep as number | undefined) ?? 4;
    const size = this.context.contextSize;
    return {
      temperature: request.temperature,
      topK: (options.top_k as number | undefined) ?? 40,
      topP: (options.top_p as number | undefined) ?? 0.9,
      ...(request.seed === undefined ? {} : { seed: request.seed }),
      repeatPenalty: {
        penalty: (options.repeat_penalty as number | undefined) ?? 1.1,
        punishTokens: () => this.sequence.contextTokens.slice(-64),
      },
      ...(await this.grammar(request.format)),
      contextShift: {
        size: Math.floor((size - keep) / 2),
        strategy: () => [{ start: keep, end: keep + Math.floor((size - keep) / 2) }],
      },
    };
  }

  private async grammar(format: unknown): Promise<object> {
    if (!format) return {};
    const grammar =
      format === "json"
        ? await this.llama.getGrammarFor("json")
        : await this.llama.createGrammarForJsonSchema(format);
    return {
      grammarEvaluationState: new this.module.LlamaGrammarEvaluationState({ model: this.model, grammar }),
    };
  }
}
