import { AIMessage, HumanMessage } from "@langchain/core/messages";
import fc from "fast-check";
import { expect, test } from "vitest";
import { answerParameters, cacheKey, unseenHash } from "../../src/chatModel/cacheKey.js";

test("the key does not depend on the order of parameters", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (parameters) => {
      const reversed = Object.fromEntries(Object.entries(parameters).reverse());
      expect(cacheKey(reversed)).toBe(cacheKey(parameters));
    }),
  );
});

test("sampling, model, format and window are parameters of the answer; where it runs is not", () => {
  expect(
    answerParameters({
      model: "a",
      keep_alive: "1h",
      format: undefined,
      options: { temperature: 0, num_ctx: 8192, num_gpu: 3, num_batch: 64, seed: undefined },
    }),
  ).toEqual({ model: "a", temperature: 0, num_ctx: 8192 });
});

test("images have a hash of their own, text has none", () => {
  const withImage = (image_url: string) =>
    unseenHash([
      new HumanMessage({
        content: [
          { type: "text", text: "a" },
          { type: "image_url", image_url },
        ],
      }),
    ]);
  expect(
    unseenHash([new HumanMessage("a"), new HumanMessage({ content: [{ type: "text", text: "b" }] })]),
  ).toBe(undefined);
  expect(withImage("data:;base64,AAAA")).toBe(withImage("data:;base64,AAAA"));
  expect(withImage("data:;base64,AAAA")).not.toBe(withImage("data:;base64,BBBB"));
});

test("a message that looks like two has a hash of its own", () => {
  const two = [new HumanMessage("a"), new AIMessage("b")];
  expect(unseenHash(two)).toBe(undefined);
  expect(unseenHash([new HumanMessage("a\nAI: b")])).toMatch(/^[0-9a-f]{64}$/);
  expect(unseenHash([new HumanMessage("a\nAI: b")])).not.toBe(
    unseenHash([new HumanMessage("a\nAI: b"), new AIMessage("")]),
  );
});
