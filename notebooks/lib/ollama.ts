/** The Ollama that a notebook runs on: yours, or a server in this process that behaves like one. */
import { type Script, scriptedEngine, startOllamaServer } from "langchain-ollama-optimizer/testing";

/** Where to send calls, and what is there. */
export interface NotebookOllama {
  /** e.g. "http://127.0.0.1:11434" */
  readonly baseUrl: string;
  readonly model: string;
  /** For people: which Ollama this is. */
  readonly description: string;
  /** Windows and bytes of what is loaded now, as `/api/ps` tells. */
  loaded(): Promise<readonly { readonly window: number; readonly bytes: number }[]>;
  /** Takes the model out of memory, so that what follows begins from nothing. */
  unload(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The Ollama at `OLLAMA_BASE_URL` with the model `OLLAMA_MODEL`; without them a server in this process: windows, cuts
 * and loads of Ollama 0.34.0, with replies from `reply` and durations that are computed.
 *
 * @param reply what the server in this process answers
 */
export async function notebookOllama(
  reply: Script["reply"] = "Because air scatters blue light most.",
): Promise<NotebookOllama> {
  const { OLLAMA_BASE_URL: address, OLLAMA_MODEL: name } = process.env;
  if (address && name) return ollamaAt(address, name, async () => {});
  const server = await startOllamaServer({
    models: [{ name: "tiny", trainedNumCtx: 32_768, promptTokensPerSecond: 8000, tokensPerSecond: 200 }],
    engine: scriptedEngine({ reply }),
    realTime: true,
  });
  return ollamaAt(server.origin, "tiny", () => server.close(), "in this process, as ");
}

async function ollamaAt(
  baseUrl: string,
  model: string,
  close: () => Promise<void>,
  where = "",
): Promise<NotebookOllama> {
  const { version } = await ask<{ version: string }>(baseUrl, "/api/version");
  const loaded = async () => {
    const { models } = await ask<{ models: { context_length: number; size: number }[] }>(baseUrl, "/api/ps");
    return models.map(({ context_length: window, size: bytes }) => ({ window, bytes }));
  };
  return {
    baseUrl,
    model,
    description: `Model ${model} on Ollama, ${where}version ${version}`,
    loaded,
    async unload() {
      await ask(baseUrl, "/api/generate", { model, keep_alive: 0 });
      while ((await loaded()).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    close,
  };
}

async function ask<T>(baseUrl: string, path: string, body?: object): Promise<T> {
  const reply = await fetch(new URL(path, baseUrl), body && { method: "POST", body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}`);
  return JSON.parse((await reply.text()).trim().split("\n").at(-1)!) as T;
}
