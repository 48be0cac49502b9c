/**
 * Fingerprints and templates: speed against npm simhash-js, cost of a decision's part, recall and false
 * matches among 10,000 templates. Prints one table and, with a file name as argument, writes it as JSON.
 */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fingerprintPrompt } from "../src/optimizer/fingerprint.js";
import { TemplateIndex } from "../src/optimizer/templates.js";
import { PromptCorpus, seededRandom } from "../test/optimizer/promptCorpus.js";

const { SimHash } = createRequire(import.meta.url)("simhash-js") as {
  SimHash: new () => { hash(text: string): number };
};

const results: Record<string, string | number> = {};
const corpus = new PromptCorpus(seededRandom(1));
const at = new Date(0);
const call = { promptTokens: 200, outputTokens: 50, totalMs: 900, censored: false, error: null };
const user = (content: string) => fingerprintPrompt([{ role: "user", content }]);

/** Sorted durations of `work` in milliseconds. */
function timed(times: number, work: (i: number) => void): number[] {
  const durations = Array.from({ length: times }, (_, i) => {
    const start = performance.now();
    work(i);
    return performance.now() - start;
  });
  return durations.sort((a, b) => a - b);
}
const quantile = (sorted: number[], q: number) => sorted[Math.floor(q * (sorted.length - 1))]!;

{
  const texts = Array.from({ length: 20 }, () => corpus.prose(4_000).join(" "));
  const simhash = new SimHash();
  for (let i = 0; i < 200; i++) user(texts[i % 20]!);
  for (let i = 0; i < 20; i++) simhash.hash(texts[i % 20]!);
  const own = quantile(
    timed(1_000, (i) => user(texts[i % 20]!)),
    0.5,
  );
  const other = quantile(
    timed(60, (i) => simhash.hash(texts[i % 20]!)),
    0.5,
  );
  results["4,000 words, 5 windows of 128 bits: ms"] = own;
  results["4,000 words, simhash-js, 32 bits: ms"] = other;
  results["times faster than simhash-js"] = other / own;
}

for (const slotWords of [3, 5, 10]) {
  for (const slotAt of [5, 20, 50, 80]) {
    const index = new TemplateIndex({ modelDigest: "bench" });
    const templates = Array.from({ length: 10_000 }, () =>
      corpus.template(120, { at: slotAt, words: slotWords }),
    );
    const ids = templates.map((fill) => {
      const head = user(fill());
      return index.observe(head, index.match(head), call, at).id;
    });
    let found = 0;
    for (let i = 0; i < 2_000; i++) {
      const t = corpus.below(templates.length);
      if (index.match(user(templates[t]!()))?.templateId === ids[t]) found++;
    }
    results[`recall, slot of ${slotWords} words at word ${slotAt} of 120 (${index.size} templates)`] =
      found / 2_000;
    if (slotWords === 5 && slotAt === 50) {
      let falseMatches = 0;
      for (let i = 0; i < 10_000; i++) if (index.match(user(corpus.prose(120).join(" ")))) falseMatches++;
      results["unrelated prompts that match, of 10,000"] = falseMatches;
    }
  }
}

{
  // The worst case: all templates are long tasks behind the prompt's own system prompt, and none matches.
  const index = new TemplateIndex({ modelDigest: "bench", limit: 20_000 });
  const system = corpus.prose(1_500).join(" ");
  const prompt = (words: number) =>
    [
      { role: "system", content: system },
      { role: "user", content: corpus.prose(words).join(" ") },
    ] as const;
  const records: object[] = [];
  for (let i = 0; i < 10_000; i++) {
    records.push(...index.observe(fingerprintPrompt(prompt(900)), null, call, at).changes);
  }
  const prompts = Array.from({ length: 100 }, () => prompt(4_500));
  const heads = prompts.map((messages) => fingerprintPrompt(messages));
  for (let i = 0; i < 500; i++) index.match(fingerprintPrompt(prompts[i % 100]!));
  const fingerprint = timed(2_000, (i) => fingerprintPrompt(prompts[i % 100]!));
  const match = timed(2_000, (i) => index.match(heads[i % 100]!));
  const both = timed(2_000, (i) => index.match(fingerprintPrompt(prompts[i % 100]!)));
  for (const [name, durations] of Object.entries({ fingerprint, match, "fingerprint and match": both })) {
    results[`${name}, 8k tokens, ${index.size} templates: p50 ms`] = quantile(durations, 0.5);
    results[`${name}, 8k tokens, ${index.size} templates: p99 ms`] = quantile(durations, 0.99);
  }
  results["scan, ns a fingerprint"] = (quantile(match, 0.5) * 1e6) / (index.size * 5);
  const tasks = records.filter((record) => "scope" in record && record.scope === "task");
  results["bytes of JSON a new template"] = JSON.stringify(tasks).length / tasks.length;
}

for (const [name, value] of Object.entries(results)) {
  console.log(name.padEnd(72), typeof value === "number" ? Number(value.toPrecision(4)) : value);
}
if (process.argv[2]) writeFileSync(process.argv[2], `${JSON.stringify(results, null, 2)}\n`);
