/**
 * `batch()` of six interleaved templates: what the server spends on reading prompts, ordered by this package and in
 * the caller's order. Both orders take turns on one server of each version, with texts of their own each time.
 */
import { writeFileSync } from "node:fs";
import type { BaseMessage } from "@langchain/core/messages";
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { ChatOllama } from "@langchain/ollama";
import { OptimizedChatOllama } from "../../src/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { type Figure, isMet, median, shown } from "../figures.js";
import { machine } from "../machine.js";
import { prose } from "../workload.js";
import { servers } from "./servers.js";

const TEMPLATES = 6;
const CALLS = 4 * TEMPLATES;
/** Words that the calls of one template share, and those of their own. */
const HEAD_WORDS = 600;
const SLOT_WORDS = 30;
/** 0.24.0 keeps one prompt; 0.34.0 keeps evicted ones in memory, so that order hardly matters. */
const BARS: Readonly<Record<string, number>> = { "0.24.0": 0.5, "0.34.0": 1 };

export async function batchBench({ short, model }: { short: boolean; model: string }): Promise<void> {
  const figures: Figure[] = [];
  for (const [version, atMost] of Object.entries(BARS)) {
    for (const maxConcurrency of short ? [undefined] : [undefined, 1]) {
      figures.push(...(await compare(version, model, maxConcurrency, short ? 2 : 6, atMost)));
    }
  }
  for (const figure of figures) console.log(shown(figure));
  const report = { machine: machine(), model, isShort: short, figures, areMet: figures.every(isMet) };
  writeFileSync("reports/bench-live-batch.json", `${JSON.stringify(report, null, 2)}\n`);
}

async function compare(
  version: string,
  model: string,
  maxConcurrency: number | undefined,
  rounds: number,
  atMost: number,
): Promise<Figure[]> {
  const server = await (await servers(version)).fresh();
  try {
    const fields = { model, baseUrl: server.origin, numCtx: 4_096, numPredict: 2, temperature: 0 };
    const models = {
      unordered: new ChatOllama(fields),
      ordered: new OptimizedChatOllama({ ...fields, store: memoryStore() }),
    };
    const sums: Record<keyof typeof models, number[]> = { unordered: [], ordered: [] };
    for (let round = 0; round <= rounds; round++) {
      for (const [name, chat] of Object.entries(models) as [keyof typeof models, ChatOllama][]) {
        const inputs = interleaved(1_000 * (2 * round + Number(name === "ordered")));
        const replies = await chat.batch(inputs, { maxConcurrency });
        // The first round loads the model.
        if (round > 0) sums[name].push(replies.reduce((sum, reply) => sum + promptMs(reply), 0));
      }
    }
    const [ordered, unordered] = [median(sums.ordered), median(sums.unordered)];
    const what = `${version}, ${maxConcurrency ? "one call at a time" : "all calls at once"}`;
    return [
      { what: `${what}: unordered`, value: unordered, unit: "ms" },
      { what: `${what}: ordered`, value: ordered, unit: "ms" },
      // "Never worse", within what two equal runs differ.
      {
        what: `${what}: ordered / unordered`,
        value: ordered / unordered,
        unit: "",
        atMost: atMost === 1 ? 1.05 : atMost,
      },
    ];
  } finally {
    await server.stop();
  }
}

function interleaved(seed: number): BaseMessage[][] {
  const heads = Array.from({ length: TEMPLATES }, (_, template) => prose(HEAD_WORDS, seed + template));
  return Array.from({ length: CALLS }, (_, call) => [
    new SystemMessage(heads[call % TEMPLATES]!),
    new HumanMessage(prose(SLOT_WORDS, seed + 100 + call)),
  ]);
}

function promptMs(reply: BaseMessage): number {
  const metadata = reply.response_metadata as Record<string, unknown>;
  return Number(metadata.prompt_eval_duration) / 1e6;
}
