/** What a test says about a model, and the complete picture the server makes of it. */
import { createHash } from "node:crypto";
import { OptimizerError } from "../errors.js";
import { chatTemplate, type RenderChat, renderChat, renderPlainChat } from "./chatTemplate.js";
import { tinyTokenizer } from "./tinyTokenizer.js";
import { bytePairTokenizer, coarseTokenizer, type Tokenizer, type TokenizerFile } from "./tokenizer.js";

/** What Ollama says a model can do. */
export type Capability = "completion" | "tools" | "insert" | "vision" | "embedding" | "thinking";

/** A model of the test server. Only the name is needed. */
export interface TestModel {
  /** With or without a tag. */
  readonly name: string;
  /** Trained window in tokens; default 131,072. */
  readonly trainedNumCtx?: number;
  /** Default `["completion", "tools"]`. */
  readonly capabilities?: readonly Capability[];
  /** Digest of the model (its manifest); default derived from the name. 64 hex digits. */
  readonly digest?: string;
  /** Digest of the weights: models with the same one share a slot. Default derived from the name. */
  readonly blob?: string;
  /** Modelfile `PARAMETER`s, e.g. `{ num_ctx: 16384 }`: part of the runner options of every call. */
  readonly parameters?: Readonly<Record<string, number | boolean | string | readonly string[]>>;
  /** Modelfile `SYSTEM`. */
  readonly system?: string;
  /** How messages become a prompt; default ChatML, with tools where the model has them. */
  readonly render?: RenderChat;
  /** What `/api/show` tells of the template: a Go template. Give both or neither. */
  readonly template?: string;
  /** The model's own tokenizer, as `/api/show` with `verbose` tells it; default a tiny byte-level BPE. */
  readonly tokenizer?: TokenizerFile;
  /** Instead of a tokenizer: so many bytes are one token, and `/api/show` tells no vocabulary. */
  readonly bytesPerToken?: number;
  /** Bytes of the weights; default 13.5 MB. */
  readonly weightBytes?: number;
  /** Bytes of the KV cache per token of the window; default 4,096 (4 layers of 4 heads of 64, f16). */
  readonly kvBytesPerToken?: number;
  /** Bytes of the compute buffer per token of the batch; default 20,480. */
  readonly computeBytesPerBatchToken?: number;
  /** How long a load takes, in milliseconds; default the server's `loadMs`. */
  readonly loadMs?: number;
  /** Prompt tokens per second, by batch size if it matters; default 2,000. */
  readonly promptTokensPerSecond?: number | ((numBatch: number) => number);
  /** Output tokens per second; default 100. */
  readonly tokensPerSecond?: number;
  /** Length of embeddings; default 256. */
  readonly embeddingLength?: number;
}

/** A {@link TestModel} with nothing left open. */
export interface ServedModel {
  /** With tag. */
  readonly name: string;
  readonly trainedNumCtx: number;
  readonly capabilities: readonly Capability[];
  readonly digest: string;
  readonly blob: string;
  readonly parameters: NonNullable<TestModel["parameters"]>;
  readonly system: string;
  readonly render: RenderChat;
  readonly template: string;
  readonly tokenizer: Tokenizer;
  /** null when the vocabulary is not told. */
  readonly tokenizerFile: TokenizerFile | null;
  readonly weightBytes: number;
  readonly kvBytesPerToken: number;
  readonly computeBytesPerBatchToken: number;
  readonly loadMs: number;
  /** Prompt tokens per second, by batch size. */
  readonly promptTokensPerSecond: (numBatch: number) => number;
  readonly tokensPerSecond: number;
  readonly embeddingLength: number;
}

/**
 * @param loadMs the server's default price of a load
 * @throws OptimizerError `TEST_MODEL_INVALID`
 */
export function servedModel(model: TestModel, loadMs: number): ServedModel {
  const name = withTag(model.name);
  const trainedNumCtx = model.trainedNumCtx ?? 131_072;
  if (name.startsWith(":") || !(trainedNumCtx >= 4)) {
    throw new OptimizerError({
      code: "TEST_MODEL_INVALID",
      message: `The test model "${model.name}" has a trained window of ${trainedNumCtx} tokens`,
      remedy: "Give every model a name, and a trainedNumCtx of at least 4.",
    });
  }
  const capabilities = model.capabilities ?? ["completion", "tools"];
  const tokenizerFile = model.bytesPerToken ? null : (model.tokenizer ?? tinyTokenizer());
  const rate = model.promptTokensPerSecond ?? 2000;
  return {
    name,
    trainedNumCtx,
    capabilities,
    digest: model.digest ?? sha256(`model ${name}`),
    blob: model.blob ?? sha256(`weights ${name}`),
    parameters: model.parameters ?? {},
    system: model.system ?? "",
    render: model.render ?? (capabilities.includes("tools") ? renderChat : renderPlainChat),
    template: model.template ?? chatTemplate(capabilities),
    tokenizer: tokenizerFile ? bytePairTokenizer(tokenizerFile) : coarseTokenizer(model.bytesPerToken ?? 4),
    tokenizerFile,
    weightBytes: model.weightBytes ?? 13_500_000,
    kvBytesPerToken: model.kvBytesPerToken ?? 4096,
    computeBytesPerBatchToken: model.computeBytesPerBatchToken ?? 20_480,
    loadMs: model.loadMs ?? loadMs,
    promptTokensPerSecond: typeof rate === "function" ? rate : () => rate,
    tokensPerSecond: model.tokensPerSecond ?? 100,
    embeddingLength: model.embeddingLength ?? 256,
  };
}

/** @example withTag("tiny") // "tiny:latest" */
export function withTag(name: string): string {
  return name.includes(":") ? name : `${name}:latest`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
