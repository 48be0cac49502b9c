import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FINGERPRINT_DEFAULTS,
  type FingerprintSettings,
  fingerprintPrompt,
  fingerprintSettings,
  fingerprintVersion,
  type PrefixFingerprints,
} from "../../src/optimizer/fingerprint.js";
import { popcount } from "../../src/optimizer/fingerprintTable.js";
import { hashTokens } from "../../src/optimizer/headTokens.js";
import { PromptCorpus, seededRandom } from "./promptCorpus.js";

const user = (content: string, settings?: FingerprintSettings) =>
  fingerprintPrompt([{ role: "user", content }], [], settings).user;

function window(prints: PrefixFingerprints | null, index: number, wordCount = 4): Int32Array {
  return prints!.words.slice(index * wordCount, (index + 1) * wordCount);
}

function distance(a: Int32Array, b: Int32Array): number {
  return a.reduce((sum, word, i) => sum + popcount(word ^ b[i]!, 0), 0);
}

/** The definition, counter by counter, to check the fast one against. */
function plainSimHash(text: string, limit: number): Int32Array {
  const mix = (hash: number): number => {
    let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return h ^ (h >>> 16);
  };
  const tokens = new Int32Array(1024);
  const count = Math.min(limit, hashTokens(text, tokens, 0));
  const counters = new Array<number>(128).fill(0);
  for (let end = 3; end <= count; end++) {
    let hash = 0;
    for (let i = end - 3; i < end; i++) hash = (Math.imul(hash, 0x2c1b3c6d) + tokens[i]!) | 0;
    for (let bit = 0; bit < 128; bit++) {
      const word = mix(hash ^ [0, 0x9e3779b9, 0x3c6ef372, 0xdaa66d2b][bit >> 5]!);
      const sign = (word >>> (bit & 31)) & 1 ? 1 : -1;
      counters[bit]! += end === 3 ? 1.5 * sign : sign;
    }
  }
  const words = new Int32Array(4);
  for (const [bit, counter] of counters.entries()) if (counter > 0) words[bit >> 5]! |= 1 << (bit & 31);
  return words;
}

describe("fingerprintPrompt", () => {
  it("equals SimHash as defined, in every window", () => {
    const corpus = new PromptCorpus(seededRandom(3));
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 1_300 }), (length) => {
        const text = corpus.words(length).join(" ");
        const prints = user(text)!;
        for (let i = 0; i < prints.covered; i++) {
          expect(window(prints, i)).toEqual(plainSimHash(text, FINGERPRINT_DEFAULTS.windows[i]!));
        }
      }),
      { numRuns: 25 },
    );
  });

  it("gives the same text the same fingerprint, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 500 }), (text) => {
        expect(user(text)?.words.join()).toBe(user(text)?.words.join());
      }),
    );
  });

  it("covers the windows that are filled and the one that holds the rest", () => {
    const words = new PromptCorpus(seededRandom(1)).words(3_000);
    const covered = (count: number) => user(words.slice(0, count).join(" "))?.covered;
    expect([3, 63, 64, 65, 128, 129, 600, 1024, 3_000].map(covered)).toEqual([1, 1, 1, 2, 2, 3, 5, 5, 5]);
  });

  it("has none for less than one shingle", () => {
    for (const text of ["", " ", "hi", "hi!", "\n\n"]) expect(user(text)).toBeNull();
    expect(user("hi there you")?.tokens).toBe(3);
  });

  it("keeps a prefix window when only what follows it changes", () => {
    const corpus = new PromptCorpus(seededRandom(2));
    const head = corpus.words(128).join(" ");
    const [a, b] = [1, 2].map(() => user(`${head} ${corpus.words(200).join(" ")}`));
    for (const i of [0, 1]) expect(window(a!, i)).toEqual(window(b!, i));
    expect(distance(window(a!, 2), window(b!, 2))).toBeGreaterThan(10);
  });

  it("moves few bits for a small change and half of them for another text", () => {
    const corpus = new PromptCorpus(seededRandom(4));
    const fill = corpus.template(120, { at: 60, words: 3 });
    const near = distance(window(user(fill()), 1), window(user(fill()), 1));
    const far = distance(window(user(fill()), 1), window(user(corpus.prose(120).join(" ")), 1));
    expect(near).toBeLessThan(20);
    expect(far).toBeGreaterThan(40);
  });

  it("does not favour 0 bits in short texts, where ties are frequent", () => {
    const corpus = new PromptCorpus(seededRandom(5));
    let bits = 0;
    for (let i = 0; i < 400; i++) {
      bits += distance(window(user(corpus.words(4).join(" ")), 0), new Int32Array(4));
    }
    expect(bits / (400 * 128)).toBeCloseTo(0.5, 1);
  });

  it("reads system part and first user message apart and together, and nothing after", () => {
    const system = { role: "system", content: "You translate what the user says." };
    const question = { role: "user", content: "Good morning, how are you today?" };
    const alone = fingerprintPrompt([question]);
    const both = fingerprintPrompt([system, question]);
    expect(alone.system).toBeNull();
    expect(alone.all).toEqual(alone.user);
    expect(both.user).toEqual(alone.user);
    expect(both.system).toEqual(fingerprintPrompt([system]).system);
    expect(both.all).toEqual(user(`${system.content} ${question.content}`));
    const later = fingerprintPrompt([
      system,
      question,
      { role: "assistant", content: "Bonjour!" },
      { role: "user", content: "And good night?" },
    ]);
    expect({ ...later, characters: 0 }).toEqual({ ...both, characters: 0 });
  });

  it("knows LangChain's and OpenAI's other names of the roles", () => {
    const text = "one two three four";
    expect(fingerprintPrompt([{ role: "human", content: text }]).user).toEqual(user(text));
    expect(fingerprintPrompt([{ role: "developer", content: text }]).system?.tokens).toBe(4);
    expect(fingerprintPrompt([{ role: "assistant", content: text }]).user).toBeNull();
  });

  it("fingerprints tools apart, in any order", () => {
    const messages = [{ role: "user", content: "one two three four" }];
    const [a, b] = [{ name: "search" }, { name: "add", parameters: {} }];
    const heads = [[], [a], [a, b], [b, a]].map((tools) => fingerprintPrompt(messages, tools));
    expect(new Set(heads.map((head) => head.user?.words.join())).size).toBe(1);
    expect(heads[0]!.tools).toBeNull();
    expect(heads[1]!.tools).not.toBe(heads[2]!.tools);
    expect(heads[2]!.tools).toBe(heads[3]!.tools);
  });

  it("works with 64 bits, longer shingles and other windows", () => {
    const settings = fingerprintSettings({ bits: 64, shingle: 5, windows: [32, 96] });
    const prints = user(new PromptCorpus(seededRandom(6)).words(200).join(" "), settings)!;
    expect([prints.words.length, prints.covered, prints.tokens]).toEqual([4, 2, 96]);
    expect(user("one two three four", settings)).toBeNull();
  });

  it("reads only the head of a prompt of 10 MB", () => {
    const text = new PromptCorpus(seededRandom(7)).words(2_000).join(" ");
    expect(user(text + " word".repeat(2_000_000))).toEqual(user(text));
  });
});

describe("fingerprintSettings", () => {
  it("says what is wrong and what is possible", () => {
    const code = (partial: object) => {
      try {
        fingerprintSettings(partial);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return "accepted";
    };
    for (const wrong of [
      { bits: 32 },
      { bits: "128" },
      { shingle: 2 },
      { shingle: 6 },
      { windows: [] },
      { windows: [128, 64] },
      { windows: [64, 64] },
      { windows: [4] },
      { windows: [64.5] },
      { windows: [8, 16, 32, 64, 128, 256, 512, 1024] },
    ]) {
      expect(code(wrong), JSON.stringify(wrong)).toBe("OPTION_INVALID");
    }
    expect(code({ bits: 64, shingle: 4, windows: [8, 8192] })).toBe("accepted");
    expect(fingerprintSettings({ bits: undefined })).toEqual(FINGERPRINT_DEFAULTS);
  });

  it("tells settings apart by version", () => {
    const versions = [{}, { bits: 64 as const }, { shingle: 4 }, { windows: [64] }].map((partial) =>
      fingerprintVersion(fingerprintSettings(partial)),
    );
    expect(new Set(versions).size).toBe(4);
  });
});
