/**
 * `node bench/start.mjs cache.bench [--short]`: what a hit costs, and what the semantic cache finds within its bounds.
 * Times are of this machine; on a busy one p99 is longer.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InMemoryCache } from "@langchain/core/caches";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { EntryCache, ExactCache, folderBackend } from "../src/cache/index.js";
import { bestFixedRecall, comparedPairs, halves, heldOut } from "../test/cache/semantic/paraphrases.js";
import { type Figure, quantile, shown } from "./figures.js";

const isShort = process.argv.includes("--short");

console.log("exact cache, invoke of a FakeListChatModel");
for (const figure of await exactHits(isShort ? 3_000 : 20_000)) console.log(shown(figure));
console.log("\nexact cache in a folder");
for (const figure of await folderHits(isShort ? 10_000 : 100_000)) console.log(shown(figure));
console.log("\nsemantic cache, recorded MiniLM embeddings, learned on one half, measured on the other");
for (const figure of await semanticFigures()) console.log(shown(figure));

/** In turns, so that all see the same machine. */
async function exactHits(rounds: number): Promise<Figure[]> {
  const responses = ["The sky is blue because air scatters short waves more than long ones."];
  const models = {
    bare: new FakeListChatModel({ responses }),
    own: new FakeListChatModel({ responses, cache: new ExactCache() as never }),
    theirs: new FakeListChatModel({ responses, cache: new InMemoryCache() }),
  };
  const times: Record<keyof typeof models, number[]> = { bare: [], own: [], theirs: [] };
  for (let round = -2_000; round < rounds; round++) {
    for (const [name, model] of Object.entries(models) as [keyof typeof models, FakeListChatModel][]) {
      const start = performance.now();
      await model.invoke("Why is the sky blue?");
      if (round >= 0) times[name].push((performance.now() - start) * 1000);
    }
  }
  for (const list of Object.values(times)) list.sort((a, b) => a - b);
  const p50 = (name: keyof typeof models) => quantile(times[name], 0.5);
  return [
    { what: "bare call, p50", value: p50("bare"), unit: "us" },
    { what: "hit beyond a bare call, p50", value: p50("own") - p50("bare"), unit: "us", atMost: 13 },
    {
      what: "LangChain's InMemoryCache beyond a bare call, p50",
      value: p50("theirs") - p50("bare"),
      unit: "us",
    },
  ];
}

async function folderHits(entries: number): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "optimizer-cache-bench-"));
  const options = { maxEntries: 2 * entries, maxBytes: 4 * 1024 ** 3 };
  const value = JSON.stringify({ replies: [{ text: "x".repeat(900) }] });
  try {
    const first = new EntryCache({ ...options, backend: folderBackend(folder) });
    const started = performance.now();
    for (let index = 0; index < entries; index++) await first.set(`tiny/${index}`, value);
    const storeMs = (performance.now() - started) / entries;
    await first.close();
    const cache = new EntryCache({ ...options, backend: folderBackend(folder) });
    const opening = performance.now();
    await cache.get("tiny/0");
    const openMs = performance.now() - opening;
    const times: number[] = [];
    for (let look = 0; look < 20_000; look++) {
      const key = `tiny/${(look * 7919) % entries}`;
      const start = performance.now();
      const hit = await cache.get(key);
      times.push(performance.now() - start);
      if (hit?.value !== value) throw new Error(`${key} is not there`);
      if (look % 100 === 0) await new Promise((done) => setImmediate(done));
    }
    times.sort((a, b) => a - b);
    await cache.close();
    return [
      { what: `store one of ${entries} entries, mean`, value: storeMs * 1000, unit: "us" },
      { what: `open a folder of ${entries} entries`, value: openMs, unit: "ms" },
      { what: `hit among ${entries} entries, p50`, value: quantile(times, 0.5) * 1000, unit: "us" },
      { what: `hit among ${entries} entries, p99`, value: quantile(times, 0.99), unit: "ms", atMost: 1 },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function semanticFigures(): Promise<Figure[]> {
  // By their place in the repository: this file runs from a build.
  const load = (name: string) => import(pathToFileURL(resolve("test/fixtures/paraphrases", name)).href);
  const [{ pairsOf, readQuestions }, { recordedEmbeddings }] = await Promise.all([
    load("questions.mjs"),
    load("embeddings.mjs"),
  ]);
  const pairs = comparedPairs(readQuestions().flatMap(pairsOf), recordedEmbeddings());
  const [seen, unseen] = halves(pairs, 1);
  const right = pairs.filter(({ isSame }) => isSame).length;
  const figures: Figure[] = [
    { what: "paraphrases", value: right, unit: "" },
    { what: "pairs that ask something else", value: pairs.length - right, unit: "" },
  ];
  for (const bound of [0.005, 0.01, 0.02, 0.05]) {
    const { wrongShare, recall } = heldOut(seen, unseen, bound);
    const percent = `${100 * bound} %`;
    const fixed = bestFixedRecall(unseen, bound);
    figures.push(
      {
        what: `wrong hits at a bound of ${percent}`,
        value: 100 * wrongShare,
        unit: "%",
        atMost: 100 * bound,
      },
      { what: `paraphrases found at ${percent}`, value: 100 * recall, unit: "%", atLeast: 100 * fixed },
      {
        what: `the best fixed cosine at ${percent}, chosen on the same pairs`,
        value: 100 * fixed,
        unit: "%",
      },
    );
  }
  // Other questions than were judged: nothing is promised of these.
  const names = [...new Set(pairs.map(({ question }) => question))];
  const parts = [0, 1].map((half) => pairs.filter(({ question }) => names.indexOf(question) % 2 === half));
  for (const bound of [0.01, 0.05]) {
    for (const [taught, asked] of [parts, [...parts].reverse()]) {
      const { wrongShare, recall } = heldOut(taught!, asked!, bound);
      const what = `on questions that were never judged, at a bound of ${100 * bound} %`;
      figures.push({ what: `wrong hits ${what}`, value: 100 * wrongShare, unit: "%" });
      figures.push({ what: `paraphrases found ${what}`, value: 100 * recall, unit: "%" });
    }
  }
  return figures;
}
