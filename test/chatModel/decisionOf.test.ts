import { AIMessage, type AIMessageChunk } from "@langchain/core/messages";
import { expect, test } from "vitest";
import { ExactCache } from "../../src/cache/index.js";
import { type DecisionRecord, decisionOf } from "../../src/index.js";
import { bench } from "./support.js";

test("the decision is read, with its type, from replies and joined chunks of streams", async () => {
  await using b = await bench();
  const decision: DecisionRecord | undefined = decisionOf(await b.model().invoke("a"));
  expect(decision).toMatchObject({ action: "load", numCtx: 4096, outcome: { cut: false } });
  let whole: AIMessageChunk | undefined;
  for await (const chunk of await b.model().stream("a")) whole = whole?.concat(chunk) ?? chunk;
  expect(decisionOf(whole!)?.reason).toMatch(/^\d+ prompt tokens/);
});

test("there is none on a message of nobody's; a reply from a cache has that of its making", async () => {
  expect(decisionOf(new AIMessage("hello"))).toBeUndefined();
  await using b = await bench();
  const model = b.model({ temperature: 0, cache: new ExactCache() });
  const made = decisionOf(await model.invoke("a"));
  expect(decisionOf(await model.invoke("a"))?.id).toBe(made!.id);
});
