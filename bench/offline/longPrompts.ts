/**
 * Prompts of 10 MB: how long they keep the main thread from anything else, from the call to its reply. Plain
 * `ChatOllama` is measured beside it; what LangChain itself does with a text of this length is in both.
 */
import { ChatOllama } from "@langchain/ollama";
import { OptimizedChatOllama } from "../../src/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { blocked, repeated, watched } from "../blocked.js";
import type { Benchmark, Figure } from "../figures.js";
import { prose } from "../workload.js";
import { scriptedServer } from "./scriptedServer.js";

const CHARACTERS = 1e7;

export const longPrompts: Benchmark = {
  title: "Prompts of 10 MB: the main thread",
  async run() {
    const server = await scriptedServer();
    try {
      const fields = { model: "tiny", baseUrl: server.origin, numPredict: 16 };
      // Cut by the server as asked, so that the whole prompt is sent.
      const own = new OptimizedChatOllama({ ...fields, store: memoryStore(), onOverflow: "cut" });
      const plain = new ChatOllama(fields);
      for (let call = 0; call < 4; call++) await own.invoke(prose(300, call));
      const figures: Figure[] = [];
      const words = prose(2_000_000, 1).slice(0, CHARACTERS);
      const texts: Readonly<Record<string, (run: number) => string>> = {
        prose: (run) => flat(`${run} ${words}`),
        "prose beyond Latin-1": (run) => flat(`${run} \u2014 ${words}`),
        "no space": (run) => flat(`${run}${"x".repeat(CHARACTERS)}`),
      };
      for (const [name, textOf] of Object.entries(texts)) {
        let run = 0;
        const ways = {
          invoke: (text: string) => own.invoke(text),
          countTokens: (text: string) => own.countTokens(text),
          "plain invoke": (text: string) => plain.invoke(text),
        };
        for (const [way, call] of Object.entries(ways)) {
          const { ms, blockedMs } = await repeated(async () => {
            const text = textOf(run++);
            return watched(() => call(text));
          });
          const what = `${name}, ${way}`;
          const isOwn = way !== "plain invoke";
          figures.push(
            { what: `${what}: whole`, value: ms, unit: "ms" },
            isOwn
              ? blocked(`${what}: blocked`, blockedMs)
              : { what: `${what}: blocked`, value: blockedMs, unit: "ms" },
          );
        }
      }
      return figures;
    } finally {
      server.stop();
    }
  },
};

/** One piece of memory: a text put together is only joined when it is first looked at. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}
