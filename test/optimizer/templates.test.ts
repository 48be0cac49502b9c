import { describe, expect, expectTypeOf, it } from "vitest";
import { fingerprintPrompt, type HeadMessage, type PromptHead } from "../../src/optimizer/fingerprint.js";
import { FIXED_THRESHOLDS, templateSettings } from "../../src/optimizer/templateOptions.js";
import {
  type CallStatistics,
  type TemplateChange,
  TemplateIndex,
  type TemplateObservation,
} from "../../src/optimizer/templates.js";
import type { TemplateRecord } from "../../src/records.js";
import type { Change } from "../../src/storage/store.js";
import { PromptCorpus, seededRandom } from "./promptCorpus.js";

const DIGEST = "sha256:0123456789abcdef";
const CALL: CallStatistics = {
  promptTokens: 200,
  outputTokens: 50,
  totalMs: 900,
  censored: false,
  error: null,
};
const DAY_MS = 86_400_000;

const index = (options: object = {}) => new TemplateIndex({ modelDigest: DIGEST, ...options });
const user = (content: string): PromptHead => fingerprintPrompt([{ role: "user", content }]);
const chat = (system: string, content: string): PromptHead =>
  fingerprintPrompt([
    { role: "system", content: system },
    { role: "user", content },
  ]);
const corpusOf = (seed: number): PromptCorpus => new PromptCorpus(seededRandom(seed));

function see(templates: TemplateIndex, head: PromptHead, ms = 0, call = CALL): TemplateObservation {
  return templates.observe(head, templates.match(head), call, new Date(ms));
}

/** What a store makes of changes: replaces fields, adds counts. */
class Records {
  readonly byId = new Map<string, TemplateRecord>();

  apply({ changes, evicted }: TemplateObservation): void {
    for (const change of changes) {
      const before = this.byId.get(change.id);
      const counts = before ? sum(before.counts, change.counts) : change.counts;
      this.byId.set(change.id, { ...before, ...change, counts } as TemplateRecord);
    }
    for (const id of evicted) this.byId.delete(id);
  }
}

function sum(a: object, b: object): object {
  const left = a as Record<string, unknown>;
  const merged: Record<string, unknown> = { ...left };
  for (const [key, value] of Object.entries(b)) {
    const old = left[key];
    merged[key] =
      typeof value === "number" ? Number(old ?? 0) + value : sum((old ?? {}) as object, value as object);
  }
  return merged;
}

describe("TemplateIndex", () => {
  it("finds a prompt again whose slot is filled differently", () => {
    const corpus = corpusOf(1);
    const templates = index();
    const fill = corpus.template(120, { at: 50, words: 5 });
    const first = see(templates, user(fill()));
    const match = templates.match(user(fill()));
    expect(match).toMatchObject({ templateId: first.id, scope: "task", systemId: null });
    expect(match!.window).toBeGreaterThanOrEqual(128);
    expect(match!.confidence).toBeCloseTo(0.5, 2);
    expect(templates.match(user(corpus.prose(120).join(" ")))).toBeNull();
  });

  it("is surer of a template the more often it was seen", () => {
    const templates = index();
    const fill = corpusOf(2).template(120, { at: 20, words: 5 });
    for (let i = 0; i < 9; i++) see(templates, user(fill()));
    expect(templates.match(user(fill()))!.confidence).toBeCloseTo(0.9, 2);
  });

  it("brings its representative nearer to the fixed part with each observation", () => {
    const templates = index();
    const fill = corpusOf(3).template(120, { at: 50, words: 10 });
    see(templates, user(fill()));
    const mean = () => {
      let bits = 0;
      for (let i = 0; i < 50; i++) bits += templates.match(user(fill()))!.distance;
      return bits / 50;
    };
    const before = mean();
    for (let i = 0; i < 20; i++) see(templates, user(fill()));
    expect(mean()).toBeLessThan(before * 0.85);
  });

  it("keeps ten tasks behind one system prompt apart", () => {
    const corpus = corpusOf(4);
    const templates = index();
    const system = corpus.prose(120).join(" ");
    const tasks = Array.from({ length: 10 }, () => corpus.template(40, { at: 5, words: 3 }));
    const seen = tasks.map(() => new Set<string | null>());
    for (let round = 0; round < 10; round++) {
      for (const [i, fill] of tasks.entries()) seen[i]!.add(see(templates, chat(system, fill())).id);
    }
    expect(seen.map((ids) => ids.size)).toEqual(new Array(10).fill(1));
    expect(new Set(seen.flatMap((ids) => [...ids])).size).toBe(10);
    expect(templates.size).toBe(11);
  });

  it("merges what looked like two tasks until their majorities met", () => {
    for (let seed = 0; seed < 10; seed++) {
      const corpus = corpusOf(seed);
      const templates = index();
      const system = corpus.prose(120).join(" ");
      const tasks = Array.from({ length: 10 }, () => corpus.template(40, { at: 20, words: 5 }));
      const seen = new Set<string | null>();
      const gone = new Set<string>();
      for (let round = 0; round < 10; round++) {
        for (const fill of tasks) {
          const observed = see(templates, chat(system, fill()));
          seen.add(observed.id);
          for (const { from, into } of observed.merged) {
            gone.add(from);
            expect(templates.has(from)).toBe(false);
            expect(templates.has(into)).toBe(true);
          }
        }
      }
      expect([...seen].filter((id) => !gone.has(id!)).length, `seed ${seed}`).toBe(10);
      expect(templates.size).toBe(11);
    }
  });

  it("keeps different tasks behind one system prompt apart that share a third of their words", () => {
    const corpus = corpusOf(17);
    const templates = index();
    const system = corpus.prose(120).join(" ");
    const shared = corpus.prose(14).join(" ");
    const tasks = Array.from({ length: 10 }, () => corpus.template(28, { at: 20, words: 2 }));
    for (let round = 0; round < 10; round++) {
      for (const fill of tasks) see(templates, chat(system, `${shared} ${fill()}`));
    }
    expect(templates.size).toBe(11);
  });

  it("knows free questions behind a known system prompt by that prompt", () => {
    const corpus = corpusOf(5);
    const templates = index();
    const system = corpus.prose(60).join(" ");
    const first = see(templates, chat(system, corpus.prose(30).join(" ")));
    const match = templates.match(chat(system, corpus.prose(30).join(" ")))!;
    expect(match.scope).toBe("system");
    expect(match.templateId).toBe(match.systemId);
    expect(match.templateId).not.toBe(first.id);
  });

  it("tells the same task behind another system prompt apart", () => {
    const corpus = corpusOf(6);
    const templates = index();
    const fill = corpus.template(60, { at: 20, words: 3 });
    const systems = [corpus.prose(50).join(" "), corpus.prose(50).join(" ")];
    const ids = [...systems.map((system) => chat(system, fill())), user(fill())].map(
      (head) => see(templates, head).id,
    );
    expect(new Set(ids).size).toBe(3);
    expect(templates.match(chat(systems[1]!, fill()))!.templateId).toBe(ids[1]);
    expect(templates.match(user(fill()))!.templateId).toBe(ids[2]);
  });

  it("takes a growing conversation and another tool list for the same template", () => {
    const corpus = corpusOf(7);
    const templates = index();
    const messages: HeadMessage[] = [
      { role: "system", content: corpus.prose(80).join(" ") },
      { role: "user", content: corpus.prose(30).join(" ") },
    ];
    const { id } = see(templates, fingerprintPrompt(messages, [{ name: "search" }]));
    for (let turn = 0; turn < 5; turn++) {
      messages.push(
        { role: "assistant", content: corpus.prose(50).join(" ") },
        { role: "user", content: corpus.prose(20).join(" ") },
      );
      expect(see(templates, fingerprintPrompt(messages, [{ name: `tool ${turn}` }])).id).toBe(id);
    }
  });

  it("shrinks the working window to what holds, and grows it again after 20 consistent matches", () => {
    const corpus = corpusOf(8);
    const templates = index();
    const head = corpus.prose(108).join(" ");
    const long = (tail: string) => user(`${head} ${tail}`);
    const windowAfter = (tail: string): number =>
      see(templates, long(tail)).changes.find(({ scope }) => scope === "task")!.workingWindow!;
    const tail = corpus.prose(300).join(" ");
    expect(windowAfter(tail)).toBe(512);
    expect(windowAfter(corpus.prose(300).join(" "))).toBe(128);
    const windows = Array.from({ length: 22 }, () => windowAfter(tail));
    expect(windows.lastIndexOf(128)).toBe(18);
    expect(windows[19]).toBe(256);
    for (let i = 0; i < 10; i++) windowAfter(tail);
    expect(windowAfter(corpus.prose(300).join(" "))).toBe(128);
  });

  it("gives very short prompts no template, only their length's statistics", () => {
    const templates = index();
    const { id, changes } = see(templates, user("hi"));
    expect([id, templates.size, templates.match(user("hi"))]).toEqual([null, 0, null]);
    expect(changes.map(({ scope }) => scope)).toEqual(["length"]);
    expect(templates.statisticsIds(user("hi"), null)).toEqual([changes[0]!.id]);
    expect(templates.statisticsIds(user("yo"), null)).toEqual([changes[0]!.id]);
    expect(templates.statisticsIds(user("hello there, you"), null)).not.toEqual([changes[0]!.id]);
  });

  it("counts by length only what matched nothing", () => {
    const templates = index();
    const fill = corpusOf(9).template(60, { at: 9, words: 2 });
    expect(see(templates, user(fill())).changes.map(({ scope }) => scope)).toEqual(["task", "length"]);
    expect(see(templates, user(fill())).changes.map(({ scope }) => scope)).toEqual(["task"]);
  });

  it("names the records that apply from the most specific on", () => {
    const corpus = corpusOf(10);
    const templates = index();
    const head = chat(corpus.prose(50).join(" "), corpus.prose(30).join(" "));
    const { id } = see(templates, head);
    const match = templates.match(head)!;
    expect(templates.statisticsIds(head, match).slice(0, 2)).toEqual([id, match.systemId]);
    expect(templates.statisticsIds(head, match)).toHaveLength(3);
  });

  it("does not create a template twice when calls of a new one overlap", () => {
    const templates = index();
    const fill = corpusOf(11).template(120, { at: 50, words: 5 });
    const heads = [fill(), fill(), fill()].map(user);
    const ids = heads.map((head) => templates.observe(head, null, CALL, new Date(0)).id);
    expect(new Set(ids).size).toBe(1);
    expect(templates.size).toBe(1);
  });

  it("leaves failed and cut replies out of lengths and latencies, and counts them", () => {
    const templates = index();
    const head = user(corpusOf(12).prose(50).join(" "));
    const counts = (call: Partial<CallStatistics>) =>
      see(templates, head, 0, { ...CALL, ...call }).changes[0]!.counts;
    expect(counts({ error: "SERVER_ERROR" })).toMatchObject({
      errors: 1,
      censored: 0,
      outputTokens: {},
      totalMs: {},
    });
    expect(counts({ censored: true })).toMatchObject({ errors: 0, censored: 1, outputTokens: {} });
    expect(Object.keys(counts({ censored: true }).totalMs!)).toHaveLength(1);
  });

  it("makes changes that the store's contract takes", () => {
    expectTypeOf<TemplateChange>().toExtend<Change<TemplateRecord>>();
  });
});

describe("TemplateIndex and the store", () => {
  it("knows after a restart what it knew before", () => {
    const corpus = corpusOf(20);
    const templates = index();
    const records = new Records();
    const system = corpus.prose(70).join(" ");
    const fills = Array.from({ length: 20 }, (_, i) => corpus.template(100, { at: 5 * (i % 10), words: 5 }));
    const heads = (i: number) => (i % 2 ? chat(system, fills[i]!()) : user(fills[i]!()));
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 20; i++) records.apply(see(templates, heads(i)));
    }
    const later = index();
    // Tasks may come before their system prompt, and slices of the store one after the other.
    for (const record of [...records.byId.values()].reverse()) expect(later.load([record])).toEqual([]);
    expect(later.size).toBe(templates.size);
    for (let i = 0; i < 20; i++) {
      const head = heads(i);
      expect(later.match(head)).toEqual(templates.match(head));
    }
    expect(records.byId.get(templates.match(heads(0))!.templateId)!.counts.observations).toBe(5);
  });

  it("lets processes that share a store agree on templates", () => {
    const [a, b] = [index(), index()];
    const records = new Records();
    const fill = corpusOf(21).template(120, { at: 50, words: 5 });
    const first = user(fill());
    records.apply(see(a!, first));
    records.apply(see(b!, first));
    expect(records.byId.size).toBe(2); // the task and its length bucket
    for (let i = 0; i < 10; i++) records.apply(see(i % 2 ? a! : b!, user(fill())));
    const [record] = records.byId.values();
    expect(record!.counts.observations).toBe(12);
    a!.load(records.byId.values());
    expect(a!.match(user(fill()))!.confidence).toBeCloseTo(12 / 13, 2);
  });

  it("carries everything in each change, so that a record removed meanwhile comes back whole", () => {
    const templates = index();
    const fill = corpusOf(22).template(120, { at: 50, words: 5 });
    see(templates, user(fill()));
    const records = new Records();
    records.apply(see(templates, user(fill())));
    const later = index();
    later.load(records.byId.values());
    expect(later.match(user(fill()))).not.toBeNull();
  });

  it("leaves records of other models and settings, and damaged ones, aside", () => {
    const templates = index();
    const records = new Records();
    records.apply(see(templates, user(corpusOf(23).prose(60).join(" "))));
    const [record] = [...records.byId.values()].filter(({ scope }) => scope === "task");
    const load = (fields: object) => {
      const fresh = index();
      fresh.load([{ ...record!, ...fields } as TemplateRecord]);
      return fresh.size;
    };
    expect(load({})).toBe(1);
    expect(load({ counts: undefined })).toBe(1);
    for (const fields of [
      { modelDigest: "other" },
      { fingerprintVersion: "1:64:3:64" },
      { workingWindow: 100 },
      { fingerprints: {} },
      { fingerprints: undefined },
      { fingerprints: { 64: "zz".repeat(16) } },
      { fingerprints: { 64: 7 } },
      { scope: "length" },
    ]) {
      expect(load(fields), JSON.stringify(fields)).toBe(0);
    }
    expect(templates.match(fingerprintPrompt([], [], { bits: 64, shingle: 3, windows: [64] }))).toBeNull();
  });

  it("evicts the least recently seen beyond the limit, and nothing refers to it afterwards", () => {
    const corpus = corpusOf(24);
    const templates = index({ limit: 20 });
    const records = new Records();
    const texts = Array.from({ length: 30 }, () => corpus.prose(50).join(" "));
    for (const [i, text] of texts.entries()) {
      for (const ms of [i * 10, i * 10 + 1]) records.apply(see(templates, user(text), ms));
    }
    expect(templates.size).toBe(20);
    const tasks = [...records.byId.values()].filter(({ scope }) => scope === "task");
    expect(tasks).toHaveLength(20);
    expect(tasks.every(({ id }) => templates.has(id))).toBe(true);
    expect(texts.map((text) => templates.match(user(text)) !== null)).toEqual([
      ...new Array(10).fill(false),
      ...new Array(20).fill(true),
    ]);
  });

  it("does not let a flood of one-off prompts push out what recurs", () => {
    const corpus = corpusOf(25);
    const templates = index({ limit: 50 });
    const fills = Array.from({ length: 20 }, () => corpus.template(80, { at: 20, words: 3 }));
    for (const fill of fills) for (const ms of [0, 1]) see(templates, user(fill()), ms);
    for (let i = 0; i < 300; i++) see(templates, user(corpus.prose(60).join(" ")), 1_000 + i);
    expect(fills.filter((fill) => templates.match(user(fill())))).toHaveLength(20);
  });

  it("forgets a system prompt together with the tasks behind it", () => {
    const corpus = corpusOf(26);
    const templates = index();
    const system = corpus.prose(50).join(" ");
    for (let i = 0; i < 5; i++) see(templates, chat(system, corpus.prose(40).join(" ")));
    const kept = see(templates, user(corpus.prose(40).join(" "))).id!;
    templates.forget(templates.match(chat(system, "anything at all"))!.systemId!);
    expect(templates.size).toBe(1);
    expect(templates.has(kept)).toBe(true);
    templates.forget("unknown");
    expect(templates.size).toBe(1);
  });

  it("cleans up what was seen only once and long ago", () => {
    const corpus = corpusOf(27);
    const templates = index({ forgetOnceSeenAfterDays: 14 });
    const [once, twice, recent] = Array.from({ length: 3 }, () => user(corpus.prose(40).join(" ")));
    const { id } = see(templates, once!, 0);
    see(templates, twice!, 0);
    see(templates, twice!, 1);
    see(templates, recent!, 10 * DAY_MS);
    expect(templates.cleanUp(new Date(15 * DAY_MS))).toEqual([id]);
    expect([once, twice, recent].map((head) => templates.match(head!) !== null)).toEqual([false, true, true]);
    expect(templates.cleanUp(new Date(15 * DAY_MS))).toEqual([]);
  });

  it("survives a clock that jumps back and a limit of one", () => {
    const corpus = corpusOf(28);
    const templates = index({ limit: 1 });
    for (const ms of [1_000, 500, 0]) {
      const { id } = see(templates, chat(corpus.prose(40).join(" "), corpus.prose(40).join(" ")), ms);
      expect(templates.has(id!)).toBe(true);
      expect(templates.size).toBeLessThanOrEqual(2);
    }
  });
});

describe("templateSettings", () => {
  it("refuses what makes no sense, naming it", () => {
    for (const [options, name] of [
      [{ limit: 0 }, "limit is 0"],
      [{ limit: 1.5 }, "limit is 1.5"],
      [{ falseMatchRate: 0 }, "falseMatchRate is 0"],
      [{ falseMatchRate: Number.NaN }, "falseMatchRate is NaN"],
      [{ growAfter: 19 }, "growAfter is 19"],
      [{ growAfter: 51 }, "growAfter is 51"],
      [{ forgetOnceSeenAfterDays: -1 }, "forgetOnceSeenAfterDays is -1"],
      [{ thresholds: { 64: 25 } }, "thresholds[64] is 25"],
      [{ bits: 64, thresholds: { 64: 13 } }, "thresholds[64] is 13"],
      [{ bits: 65 }, "bits is 65"],
    ] as const) {
      expect(() => templateSettings({ modelDigest: DIGEST, ...(options as object) })).toThrow(name);
    }
  });

  it("takes fixed thresholds instead of a false-match rate", () => {
    const corpus = corpusOf(30);
    const strict = new TemplateIndex({ modelDigest: DIGEST, bits: 64, thresholds: FIXED_THRESHOLDS });
    const head = (text: string) =>
      fingerprintPrompt([{ role: "user", content: text }], [], {
        bits: 64,
        shingle: 3,
        windows: [64, 128, 256, 512, 1024],
      });
    const words = corpus.words(120);
    see(strict, head(words.join(" ")));
    expect(strict.match(head([...words.slice(0, 119), "other"].join(" ")))).not.toBeNull();
    const changed = words.map((word, i) => (i >= 10 && i < 20 ? "other" : word));
    expect(strict.match(head(changed.join(" ")))).toBeNull();
  });
});
