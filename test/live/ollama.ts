/** What live tests share: the servers, questions to them, and how a load shows. */
import { describe, expect } from "vitest";
import { OptimizedChatOllama, type OptimizedChatOllamaInput } from "../../src/index.js";
import type { DecisionRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";

/** Of the 13 MB model: a load takes 250 ms and more, a warm call says 1 to 72 ms. */
const LOAD_MS = 150;

/** Runs a suite on each version whose server is named in the environment, and says which is not. */
export function onEachOllama(suite: (origin: string, version: string) => void): void {
  for (const [version, variable] of [
    ["0.34.0", "OLLAMA_TEST_0_34"],
    ["0.24.0", "OLLAMA_TEST_0_24"],
  ] as const) {
    const origin = process.env[variable];
    if (!origin) console.warn(`SKIPPED: Ollama ${version}, as ${variable} names no server`);
    describe.skipIf(!origin)(`Ollama ${version}`, () => suite(origin!, version));
  }
}

/** The model with random weights in small windows, so that a growth costs no seconds of reading. */
export function smallChat(origin: string, fields: OptimizedChatOllamaInput = {}): OptimizedChatOllama {
  return new OptimizedChatOllama({
    model: "random",
    baseUrl: origin,
    store: memoryStore(),
    numPredict: 4,
    temperature: 0,
    optimizer: { minimumWindow: 512 },
    ...fields,
  });
}

/** So many words; the random model makes four tokens of one. */
export const words = (count: number): string => "they said that ".repeat(Math.ceil(count / 3)).trim();

interface Answered {
  readonly response_metadata: Record<string, unknown>;
}

export const decisionOf = ({ response_metadata }: Answered): DecisionRecord =>
  response_metadata.optimizer as DecisionRecord;

/** Whether the server loaded the model for this reply, as its own `load_duration` tells. */
export const wasLoaded = ({ response_metadata }: Answered): boolean =>
  Number(response_metadata.load_duration) / 1e6 > LOAD_MS;

export async function post(origin: string, path: string, body: object): Promise<Response> {
  return fetch(origin + path, { method: "POST", body: JSON.stringify(body) });
}

export interface Loaded {
  readonly name: string;
  readonly context_length: number;
}

export async function loadedModels(origin: string): Promise<readonly Loaded[]> {
  return ((await (await fetch(`${origin}/api/ps`)).json()) as { models: Loaded[] | null }).models ?? [];
}

/** Another program's call, with a window of its own. */
export async function callOfAnother(origin: string, model: string, numCtx: number): Promise<void> {
  const messages = [{ role: "user", content: "Hello" }];
  await (
    await post(origin, "/api/chat", {
      model,
      messages,
      stream: false,
      options: { num_ctx: numCtx, num_predict: 1 },
    })
  ).text();
}

/** Unloads everything, until nothing came back for a while: probes of an earlier test may still be on their way. */
export async function nothingLoaded(origin: string): Promise<void> {
  for (let quiet = 0; quiet < 6; quiet++) {
    for (const { name } of await loadedModels(origin)) {
      await (await post(origin, "/api/generate", { model: name, keep_alive: 0 })).text();
      quiet = 0;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Resolves when the model's chat template is learned, by calls if need be: no probe follows. */
export async function learned(model: OptimizedChatOllama): Promise<void> {
  const source = async () => {
    const counted = await model.countTokens("Hello");
    if (counted.source !== "exact") await model.invoke("Hello");
    return counted.source;
  };
  await expect.poll(source, { timeout: 30_000, interval: 300 }).toBe("exact");
}
