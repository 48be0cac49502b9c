/** The slice of node-llama-cpp 3.22 that is used, and where it is found: it is never a dependency of the package. */
import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { OptimizerError } from "../errors.js";

export interface NodeLlamaCpp {
  getLlama(options: {
    readonly gpu: false;
    readonly build: "never";
    readonly logLevel: "error";
  }): Promise<Llama>;
  readGgufFileInfo(path: string): Promise<{ readonly metadata: GgufMetadata }>;
  readonly LlamaGrammarEvaluationState: new (options: {
    readonly model: LlamaModel;
    readonly grammar: object;
  }) => object;
}

/** Metadata as a tree: `llama.context_length` is `metadata.llama.context_length`. */
export interface GgufMetadata {
  readonly [key: string]: GgufMetadata | string | number | boolean | readonly unknown[] | undefined;
}

export interface Llama {
  loadModel(options: { readonly modelPath: string; readonly vocabOnly?: boolean }): Promise<LlamaModel>;
  createGrammarForJsonSchema(schema: unknown): Promise<object>;
  getGrammarFor(type: "json"): Promise<object>;
  dispose(): Promise<void>;
}

export interface LlamaModel {
  /** Bytes. */
  readonly size: number;
  readonly trainContextSize: number;
  readonly embeddingVectorSize: number;
  tokenize(text: string, specialTokens: boolean): number[];
  detokenize(tokens: readonly number[], specialTokens: boolean): string;
  createContext(options: {
    readonly contextSize: number;
    readonly batchSize: number;
    readonly threads: number;
  }): Promise<LlamaContext>;
  createEmbeddingContext(options: { readonly contextSize: number; readonly threads: number }): Promise<{
    getEmbeddingFor(tokens: readonly number[]): Promise<{ readonly vector: readonly number[] }>;
  }>;
  dispose(): Promise<void>;
}

export interface LlamaContext {
  readonly contextSize: number;
  /** Bytes. */
  readonly memoryUsage: { readonly ram: number; readonly vram: number };
  getSequence(): LlamaSequence;
  dispose(): Promise<void>;
}

export interface LlamaSequence {
  /** What the slot holds. */
  readonly contextTokens: readonly number[];
  compareContextTokens(tokens: readonly number[]): { readonly firstDifferentIndex: number };
  adaptStateToTokens(tokens: readonly number[], allowShift: boolean): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  evaluate(tokens: readonly number[], options: object): AsyncGenerator<number>;
}

/** Where `scripts/installEngine.mjs` puts the small install. */
const installed =
  "node_modules/.cache/langchain-ollama-optimizer/node-llama-cpp-3.22.1/node_modules/node-llama-cpp/dist/index.js";

/**
 * @throws OptimizerError `ENGINE_MISSING`
 */
export async function importNodeLlamaCpp(): Promise<NodeLlamaCpp> {
  const name = "node-llama-cpp";
  try {
    return (await import(name)) as NodeLlamaCpp;
  } catch (cause) {
    const path = resolve(installed);
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return (await import(pathToFileURL(path).href)) as NodeLlamaCpp;
    throw new OptimizerError({
      code: "ENGINE_MISSING",
      message: "Real inference in the test server needs node-llama-cpp, which is not installed",
      remedy: `In this repository run \`node scripts/installEngine.mjs\` (85 MB); elsewhere \`npm install --save-dev --ignore-scripts --omit=optional node-llama-cpp@3.22.1 @node-llama-cpp/${build()}@3.22.1\`.`,
      cause,
    });
  }
}

/** The build for this machine, which has to be named where the optional ones (640 MB) are left out. */
function build(): string {
  const { platform, arch } = process;
  if (platform === "darwin") return arch === "arm64" ? "mac-arm64-metal" : "mac-x64";
  if (platform === "win32") return `win-${arch}`;
  return `linux-${arch === "arm" ? "armv7l" : arch}`;
}
