/**
 * The same seeded workload on a real Ollama under five ways of choosing the window: `npm run bench:live`. Prints the
 * README's table and writes `reports/bench-live.json`, with every call in `reports/bench-live-calls.jsonl`.
 *
 *   --short        50 calls, conversations to 8k tokens: a minute or two
 *   --calls N      default 1,000; --seed N default 1; --ollama VERSION default 0.34.0
 *   --model NAME   default random-qwen: random weights (so that 1,000 calls end) under a real tokenizer, since one
 *                  that spells words in letters makes prompts four times as long as their words
 *   --fixed N      window of "fixed maximum"; default the model's own maximum
 *   batch          `batch()` of six interleaved templates instead
 *   queue          loads of two clients that ask for two windows, with and without the server, instead
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { batchBench } from "./live/batch.js";
import { exactCounter } from "./live/exactCounts.js";
import { queueBench } from "./live/queue.js";
import { type PreparedCall, runAll } from "./live/run.js";
import { loaded, post, servers } from "./live/servers.js";
import { bars, markdown, reloadThresholdMs, summarize } from "./live/summary.js";
import { machine } from "./machine.js";
import { prose, workload } from "./workload.js";

/** A reply costs the same under every strategy: short, so that 1,000 calls end. */
const NUM_PREDICT = 8;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: "boolean", default: false },
    calls: { type: "string" },
    seed: { type: "string", default: "1" },
    model: { type: "string" },
    ollama: { type: "string", default: "0.34.0" },
    fixed: { type: "string" },
  },
});
// Servers of its own end with the process, not with its signal.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
mkdirSync("reports", { recursive: true });
if (positionals[0] === "batch") {
  await batchBench({ short: flags.short, model: flags.model ?? "random-qwen" });
} else if (positionals[0] === "queue") {
  await queueBench(flags.model ?? "random");
} else {
  await strategies();
}
process.exit();

async function strategies(): Promise<void> {
  const model = flags.model ?? "random-qwen";
  const calls = Number(flags.calls ?? (flags.short ? 50 : 1_000));
  const longestTokens = flags.short ? 8_192 : 32_768;
  const seed = Number(flags.seed);
  const available = await servers(flags.ollama);

  const first = await available.fresh();
  let facts: Awaited<ReturnType<typeof prepare>>;
  try {
    facts = await prepare(first.origin);
  } finally {
    await first.stop();
  }
  const { prepared, trainedWindow, smallestBytes, tokensPerWord } = facts;
  const fixedWindow = Number(flags.fixed ?? trainedWindow);
  const largest = Math.max(...prepared.map(({ exactTokens }) => exactTokens)) + NUM_PREDICT;
  console.log(
    `${calls} calls of ${model} on Ollama ${flags.ollama}, seed ${seed}: ${prepared.reduce((sum, { exactTokens }) => sum + exactTokens, 0)} prompt tokens (${tokensPerWord.toFixed(2)} a word), largest need ${largest}, fixed maximum ${fixedWindow}`,
  );
  const started = performance.now();
  const traces = await runAll(
    prepared,
    { model, fixedWindow, trainedWindow, numPredict: NUM_PREDICT },
    available,
    (done) =>
      process.stderr.write(`\r${done}/${calls} calls, ${Math.round((performance.now() - started) / 1e3)} s `),
  );
  process.stderr.write("\n");

  const reloadMs = reloadThresholdMs(Object.values(traces));
  const byName = Object.fromEntries(
    Object.entries(traces).map(([name, list]) => [name, summarize(list, smallestBytes, reloadMs)]),
  );
  const counted = traces["fixed maximum"]!.filter(({ refused }) => refused === null);
  const miscounted = counted.filter(({ promptTokens, exactTokens }) => promptTokens !== exactTokens).length;
  const met = bars(byName);
  const where = machine();
  console.log(`\n${markdown(byName)}\n`);
  console.log(
    `load_duration above ${Math.round(reloadMs)} ms is a load; by window: ${Object.entries(byName)
      .map(([name, { loadsByWindow }]) => `${name} ${loadsByWindow}`)
      .join(", ")}`,
  );
  console.log(`own counts that differ from the server's: ${miscounted} of ${counted.length}`);
  console.log(
    `machine: ${Object.entries(where)
      .map(([key, value]) => `${key} ${value}`)
      .join(", ")}\n`,
  );
  for (const { what, measured, atMost, isMet } of met) {
    console.log(
      `${isMet ? "met   " : "MISSED"} ${what}: ${Number(measured.toPrecision(3))}, at most ${atMost}`,
    );
  }
  const report = {
    machine: where,
    ollama: flags.ollama,
    model,
    seed,
    calls,
    isShort: flags.short,
    numPredict: NUM_PREDICT,
    fixedWindow,
    largestNeedTokens: largest,
    tokensPerWord,
    miscounted,
    strategies: byName,
    bars: met,
  };
  writeFileSync("reports/bench-live.json", `${JSON.stringify(report, null, 2)}\n`);
  const lines = Object.entries(traces).flatMap(([strategy, list]) =>
    list.map((trace) => JSON.stringify({ strategy, ...trace })),
  );
  writeFileSync("reports/bench-live-calls.jsonl", `${lines.join("\n")}\n`);

  async function prepare(origin: string) {
    const counter = await exactCounter(origin, model, prose(5_000, 1));
    const smallestBytes = (await loaded(origin))[0]!.size;
    const conversationWords = Math.ceil(longestTokens / counter.tokensPerWord);
    const prepared: PreparedCall[] = [];
    for (const call of workload({ seed, calls, conversationWords })) {
      const messages = call.messages();
      prepared.push({ kind: call.kind, messages, exactTokens: await counter.count(messages) });
    }
    await counter.close();
    const show = (await (await post(origin, "/api/show", { model })).json()) as {
      model_info: Record<string, unknown>;
    };
    const trainedWindow = Number(
      show.model_info[`${String(show.model_info["general.architecture"])}.context_length`],
    );
    return { prepared, smallestBytes, trainedWindow, tokensPerWord: counter.tokensPerWord };
  }
}
