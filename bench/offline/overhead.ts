/**
 * What a call costs beyond plain `ChatOllama`: the same prompts to the same server in another process, in turns.
 * The window is loaded and what the server shows is fresh, as it is while a program runs.
 */
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { ChatOllama } from "@langchain/ollama";
import { OptimizedChatOllama } from "../../src/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { type Benchmark, type Figure, quantile } from "../figures.js";
import { prose } from "../workload.js";
import { scriptedServer } from "./scriptedServer.js";

/** Words of a prompt, by what it is called. */
const PROMPTS = { "60 words": 60, "3,300 words (8k tokens)": 3_300 };
const WARM_UP = 100;

export const overhead: Benchmark = {
  title: "A whole call, against plain ChatOllama",
  async run({ short }) {
    const server = await scriptedServer();
    try {
      const figures: Figure[] = [];
      for (const [name, words] of Object.entries(PROMPTS)) {
        figures.push(...(await compare(server.origin, name, words, short ? 300 : 1_500)));
      }
      return figures;
    } finally {
      server.stop();
    }
  },
};

async function compare(origin: string, name: string, words: number, pairs: number): Promise<Figure[]> {
  const fields = { model: "tiny", baseUrl: origin, numPredict: 16, temperature: 0 };
  // What covers the prompt, so that neither reloads.
  const plain = new ChatOllama({ ...fields, numCtx: 65_536 });
  const own = new OptimizedChatOllama({ ...fields, store: memoryStore() });
  const models = { plain, own };
  const times: Record<keyof typeof models, number[]> = { plain: [], own: [] };
  const decideMs: number[] = [];
  for (let pair = 0; pair < WARM_UP + pairs; pair++) {
    const order = pair % 2 === 0 ? (["plain", "own"] as const) : (["own", "plain"] as const);
    for (const which of order) {
      const messages = [
        new SystemMessage("Be brief."),
        new HumanMessage(prose(words, 1_000 * pair + order.indexOf(which))),
      ];
      const start = performance.now();
      const reply = await models[which].invoke(messages);
      const ms = performance.now() - start;
      if (pair < WARM_UP) continue;
      times[which].push(ms);
      const decision = reply.response_metadata.optimizer as { decideMs: number } | undefined;
      if (decision) decideMs.push(decision.decideMs);
    }
  }
  for (const list of [times.plain, times.own, decideMs]) list.sort((a, b) => a - b);
  const at = (share: number) => quantile(times.own, share) - quantile(times.plain, share);
  return [
    { what: `${name}: plain, p50`, value: quantile(times.plain, 0.5), unit: "ms" },
    { what: `${name}: added, p50`, value: at(0.5), unit: "ms", atMost: 0.5 },
    { what: `${name}: added, p90`, value: at(0.9), unit: "ms" },
    { what: `${name}: of it deciding, p50`, value: quantile(decideMs, 0.5), unit: "ms" },
  ];
}
