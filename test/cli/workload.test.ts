import { describe, expect, test } from "vitest";
import { workload } from "../../src/cli/workload.js";

const texts = (options: Partial<Parameters<typeof workload>[0]> = {}): string[][] =>
  workload({ calls: 60, seed: 1, tokensPerWord: 1, ...options }).map((prompt) =>
    prompt.map(({ content }) => content),
  );

describe("the demo's workload", () => {
  test("is the same for the same seed, and another for another", () => {
    expect(texts()).toEqual(texts());
    expect(texts({ seed: 2 })).not.toEqual(texts());
  });

  test("has one long prompt in ten, longer than the default window whatever a word costs", () => {
    for (const tokensPerWord of [1, 2.5]) {
      const tokens = texts({ tokensPerWord }).map(
        (prompt) => prompt.join(" ").split(" ").length * tokensPerWord,
      );
      expect(tokens.filter((count) => count > 4096)).toHaveLength(6);
    }
  });

  test("has one conversation, each turn of which extends the one before", () => {
    const turns = texts().filter(([system]) => system === "You are a patient teacher.");
    expect(turns).toHaveLength(18);
    for (const [index, turn] of turns.slice(1).entries()) {
      expect(turn.slice(0, turns[index]!.length)).toEqual(turns[index]);
      expect(turn).toHaveLength(turns[index]!.length + 2);
    }
  });
});
