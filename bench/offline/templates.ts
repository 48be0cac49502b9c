/** Fingerprints and templates: speed against npm simhash-js, recall and false matches among 10,000 templates. */
import { createRequire } from "node:module";
import { fingerprintPrompt } from "../../src/optimizer/fingerprint.js";
import { TemplateIndex } from "../../src/optimizer/templates.js";
import { PromptCorpus, seededRandom } from "../../test/optimizer/promptCorpus.js";
import { type Benchmark, type Figure, quantile, timed } from "../figures.js";

const { SimHash } = createRequire(import.meta.url)("simhash-js") as {
  SimHash: new () => { hash(text: string): number };
};
const AT = new Date(0);
const CALL = { promptTokens: 200, outputTokens: 50, totalMs: 900, censored: false, error: null };
const user = (content: string) => fingerprintPrompt([{ role: "user", content }]);

export const fingerprinting: Benchmark = {
  title: "Fingerprints of 4,000 words",
  async run({ short }) {
    const corpus = new PromptCorpus(seededRandom(1));
    const texts = Array.from({ length: 20 }, () => corpus.prose(4_000).join(" "));
    const simhash = new SimHash();
    for (let index = 0; index < 200; index++) user(texts[index % 20]!);
    for (let index = 0; index < 20; index++) simhash.hash(texts[index % 20]!);
    const own: number[] = [];
    const other: number[] = [];
    // In turns, so that whatever else the machine does hits both.
    for (let round = 0; round < (short ? 10 : 60); round++) {
      own.push(...timed(16, (index) => user(texts[(round + index) % 20]!)));
      other.push(...timed(1, () => simhash.hash(texts[round % 20]!)));
    }
    const [ours, theirs] = [own, other].map((list) =>
      quantile(
        list.sort((a, b) => a - b),
        0.5,
      ),
    ) as [number, number];
    return [
      { what: "own, five windows of 128 bits: p50", value: ours, unit: "ms" },
      { what: "simhash-js, one of 32 bits: p50", value: theirs, unit: "ms" },
      { what: "times faster", value: theirs / ours, unit: "x", atLeast: 10 },
    ];
  },
};

export const matching: Benchmark = {
  title: "Matching among 10,000 templates",
  async run({ short }) {
    const corpus = new PromptCorpus(seededRandom(1));
    const figures: Figure[] = [];
    for (const words of short ? [5] : [3, 5, 10]) {
      for (const at of short ? [5, 50] : [5, 20, 50, 80]) {
        const index = new TemplateIndex({ modelDigest: "bench" });
        const templates = Array.from({ length: 10_000 }, () => corpus.template(120, { at, words }));
        const ids = templates.map((fill) => {
          const head = user(fill());
          return index.observe(head, index.match(head), CALL, AT).id;
        });
        let found = 0;
        for (let tries = 0; tries < 2_000; tries++) {
          const which = corpus.below(templates.length);
          if (index.match(user(templates[which]!()))?.templateId === ids[which]) found++;
        }
        figures.push({
          what: `recall, slot of ${words} words at word ${at} of 120`,
          value: found / 2_000,
          unit: "",
          atLeast: 0.95,
        });
        if (words !== 5 || at !== 50) continue;
        let matches = 0;
        for (let tries = 0; tries < 10_000; tries++) {
          if (index.match(user(corpus.prose(120).join(" ")))) matches++;
        }
        figures.push({
          what: "unrelated prompts that match, of 1,000",
          value: matches / 10,
          unit: "",
          atMost: 1,
        });
      }
    }
    return [...figures, ...tenTasks(3, 5), ...tenTasks(5, 20)];
  },
};

/**
 * Ten tasks of 40 words behind one system prompt of 120, ten prompts each: the most templates of ten seeds, and how
 * many ids were given on the way, as the first prompts of one task may look like two until their majorities meet.
 */
function tenTasks(words: number, at: number): Figure[] {
  const runs = Array.from({ length: 10 }, (_, seed) => {
    const corpus = new PromptCorpus(seededRandom(seed));
    const index = new TemplateIndex({ modelDigest: "bench" });
    const system = corpus.prose(120).join(" ");
    const tasks = Array.from({ length: 10 }, () => corpus.template(40, { at, words }));
    const ids = new Set<string | null>();
    let unrelated = 0;
    for (let prompt = 0; prompt < 100; prompt++) {
      const head = behind(system, tasks[prompt % 10]!());
      ids.add(index.observe(head, index.match(head), CALL, AT).id);
    }
    for (let tries = 0; tries < 1_000; tries++) {
      if (index.match(behind(system, corpus.prose(40).join(" ")))?.scope === "task") unrelated++;
    }
    return { kept: index.size - 1, named: ids.size, unrelated };
  });
  const what = `ten tasks with a slot of ${words} words in 40, behind 120`;
  const most = (field: "kept" | "named") => Math.max(...runs.map((run) => run[field]));
  return [
    { what: `${what}: templates`, value: most("kept"), unit: "", atLeast: 10, atMost: 10 },
    { what: `${what}: ids on the way`, value: most("named"), unit: "" },
    {
      what: `${what}: unrelated that match, of 1,000`,
      value: runs.reduce((sum, { unrelated }) => sum + unrelated, 0) / runs.length,
      unit: "",
      atMost: 1,
    },
  ];
}

function behind(system: string, content: string) {
  return fingerprintPrompt([
    { role: "system", content: system },
    { role: "user", content },
  ]);
}
