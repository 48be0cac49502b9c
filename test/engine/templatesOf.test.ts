import { expect, test } from "vitest";
import { Templates } from "../../src/engine/templatesOf.js";
import { DEFAULT_CONFIGURATION } from "../../src/optimizer/configuration.js";
import { fingerprintPrompt } from "../../src/optimizer/fingerprint.js";
import { memoryStore } from "../../src/storage/memory.js";
import { PromptCorpus, seededRandom } from "../optimizer/promptCorpus.js";

const CALL = { promptTokens: 200, outputTokens: 50, totalMs: 900, censored: false, error: null };

test("templates that turn out to be one leave one record, with the counts of both", async () => {
  let merges = 0;
  for (let seed = 0; seed < 10; seed++) {
    const corpus = new PromptCorpus(seededRandom(seed));
    const store = memoryStore();
    const templates = new Templates(store);
    const index = templates.of("sha256:a", DEFAULT_CONFIGURATION);
    const system = corpus.prose(120).join(" ");
    const tasks = Array.from({ length: 10 }, () => corpus.template(40, { at: 20, words: 5 }));
    const named = new Set<string | null>();
    for (let call = 0; call < 100; call++) {
      const head = fingerprintPrompt([
        { role: "system", content: system },
        { role: "user", content: tasks[call % 10]!() },
      ]);
      named.add(templates.observe(index, head, index.match(head), CALL, new Date(call)));
    }
    await store.flush();
    const records = [...store.list("templates")].filter(({ scope }) => scope === "task");
    expect(records).toHaveLength(10);
    expect(records.reduce((sum, { counts }) => sum + counts.observations, 0)).toBe(100);
    merges += named.size - records.length;
  }
  expect(merges, "it happened at all").toBeGreaterThan(0);
});
