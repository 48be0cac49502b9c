/** Five ways of choosing the window. Each is what a program would write; none knows more than it would there. */
import type { AIMessageChunk, BaseMessage } from "@langchain/core/messages";
import { ChatOllama } from "@langchain/ollama";
import { OptimizedChatOllama } from "../../src/index.js";
import type { DecisionRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";

export interface Settings {
  readonly model: string;
  readonly origin: string;
  /** Tokens of "fixed maximum". */
  readonly fixedWindow: number;
  /** Tokens; the model's own limit. */
  readonly trainedWindow: number;
  readonly numPredict: number;
}

/** What a call gave. Milliseconds and tokens. */
export interface Reply {
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly loadMs: number;
  readonly promptMs: number;
  readonly outputMs: number;
  /** Requests that the server refused before it answered, as the strategy knows it. */
  readonly retries: number;
  readonly decision?: DecisionRecord;
}

/** Sends one call. Stateful: one per run. Rejects with what the user would see. */
export type Strategy = (messages: BaseMessage[]) => Promise<Reply>;

export const STRATEGIES: Readonly<Record<string, (settings: Settings) => Strategy>> = {
  "plain default": (settings) => {
    const model = new ChatOllama(fieldsOf(settings));
    return async (messages) => replyOf(await model.invoke(messages));
  },

  "fixed maximum": (settings) => {
    const model = new ChatOllama({ ...fieldsOf(settings), numCtx: settings.fixedWindow });
    return async (messages) => replyOf(await model.invoke(messages));
  },

  /** As proxies do: 1.2 x a quarter of the characters, on a multiple of 256. */
  "per request": (settings) => {
    return async (messages) => {
      const need = 1.2 * estimateOf(messages) + settings.numPredict;
      const numCtx = Math.min(256 * Math.ceil(need / 256), settings.trainedWindow);
      return replyOf(await new ChatOllama({ ...fieldsOf(settings), numCtx }).invoke(messages));
    };
  },

  /** Grow-only powers of two from 4,096, and one retry when the server says that the prompt is longer. */
  "sticky doubling": (settings) => {
    let numCtx = 4_096;
    const grow = (need: number) => {
      while (numCtx < need && numCtx < settings.trainedWindow) numCtx *= 2;
    };
    const send = async (messages: BaseMessage[]) =>
      replyOf(await new ChatOllama({ ...fieldsOf(settings), numCtx, fetch: refusingCuts }).invoke(messages));
    return async (messages) => {
      grow(estimateOf(messages) + settings.numPredict);
      try {
        return await send(messages);
      } catch (error) {
        const tokens = /n_prompt_tokens\D+(\d+)/.exec(String((error as Error).message))?.[1];
        if ((error as { status_code?: number }).status_code !== 400) throw error;
        grow(tokens ? Number(tokens) + settings.numPredict : 2 * numCtx);
        return { ...(await send(messages)), retries: 1 };
      }
    };
  },

  "this package": (settings) => {
    const model = new OptimizedChatOllama({ ...fieldsOf(settings), store: memoryStore() });
    return async (messages) => replyOf(await model.invoke(messages));
  },
};

function fieldsOf({ model, origin, numPredict }: Settings) {
  return { model, baseUrl: origin, numPredict, temperature: 0, seed: 1 };
}

function estimateOf(messages: readonly BaseMessage[]): number {
  return Math.ceil(messages.reduce((sum, { text }) => sum + text.length, 0) / 4);
}

/** `ChatOllama` has no option for `truncate: false`. */
const refusingCuts: typeof fetch = (url, init) => {
  const { body } = init ?? {};
  const isCall = typeof body === "string" && body.startsWith("{");
  return fetch(url, isCall ? { ...init, body: `{"truncate":false,${body.slice(1)}` } : init);
};

function replyOf({ response_metadata }: AIMessageChunk): Reply {
  const metadata = response_metadata as Record<string, number | undefined>;
  const decision = response_metadata.optimizer as DecisionRecord | undefined;
  const milliseconds = (name: string) => (metadata[name] ?? 0) / 1e6;
  return {
    promptTokens: metadata.prompt_eval_count ?? 0,
    outputTokens: metadata.eval_count ?? 0,
    loadMs: milliseconds("load_duration"),
    promptMs: milliseconds("prompt_eval_duration"),
    outputMs: milliseconds("eval_duration"),
    retries: decision?.outcome?.retries ?? 0,
    decision,
  };
}
