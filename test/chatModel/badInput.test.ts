import { AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { describe, expect, test } from "vitest";
import { OptimizerError } from "../../src/errors.js";
import { type OptimizedChatOllama, OptimizedOllama } from "../../src/index.js";
import { bench } from "./support.js";

/** What a prompt may be that nobody thought of: each is answered, or refused with a typed error, soon. */
describe("prompts that nobody thought of", () => {
  test.each([
    ["no messages", []],
    ["an empty text", ""],
    ["an empty message", [new HumanMessage("")]],
    ["empty content blocks", [new HumanMessage({ content: [] })]],
    ["lone surrogates", "a\ud83db\ude42c".repeat(50)],
    ["a zero byte", "a\u0000b"],
    ["one character repeated", "a".repeat(200_000)],
    ["10 MB", "The quick brown fox jumps over the lazy dog.\n".repeat(230_000)],
    ["a tool result without its call", [new ToolMessage({ tool_call_id: "1", content: "42" })]],
    ["system messages alone", [new SystemMessage("Be brief."), new SystemMessage("Be kind.")]],
    ["a reply first", [new AIMessage("Hello"), new HumanMessage("Hi")]],
    ["a role of one's own", [new ChatMessage("Hi", "critic")]],
    [
      "an image alone",
      [new HumanMessage({ content: [{ type: "image", mimeType: "image/png", data: "AAAA" }] })],
    ],
    [
      "an image that is none",
      [new HumanMessage({ content: [{ type: "image_url", image_url: { url: "" } }] })],
    ],
    ["audio", [new HumanMessage({ content: [{ type: "audio", data: "AAAA", mimeType: "audio/wav" }] })]],
  ])("%s", async (_, input) => {
    await using b = await bench("ok", {
      models: [{ name: "tiny", trainedNumCtx: 8192, capabilities: ["completion", "tools", "vision"] }],
    });
    const warnings: string[] = [];
    const logger = { warn: (message: string) => void warnings.push(message) };
    const call = b.model({ logger }).invoke(input);
    const outcome = await call.then(
      (reply) => reply,
      (error: unknown) => error,
    );
    const isTyped =
      outcome instanceof AIMessage ||
      OptimizerError.isInstance(outcome) ||
      (outcome as Error).name === "ContextOverflowError";
    expect(isTyped, String(outcome)).toBe(true);
    expect(warnings).toEqual([]);
  });
});

describe("what is no input of a model", () => {
  test.each([null, undefined, 42, true, {}, new HumanMessage("secret")])("%s is refused", async (input) => {
    await using b = await bench("ok");
    const bad = input as unknown as string;
    const textModel = new OptimizedOllama({ model: "tiny", baseUrl: b.server.origin, store: false });
    // They share the methods below, not their types.
    for (const model of [b.model(), textModel as unknown as OptimizedChatOllama]) {
      const ways: Record<string, () => unknown> = {
        invoke: () => model.invoke(bad),
        stream: async () => (await model.stream(bad)).next(),
        events: () => model.streamEvents(bad, { version: "v2" }).next(),
        batch: () => model.batch([bad]),
      };
      if ("countTokens" in model) {
        ways.countTokens = () => model.countTokens(bad);
        ways["content events"] = async () => model.streamEvents(bad);
      }
      for (const [name, way] of Object.entries(ways)) {
        const error = await Promise.resolve()
          .then(way)
          .catch((thrown: unknown) => thrown);
        expect(error, name).toMatchObject({ code: "OPTION_INVALID" });
        expect(String(error), name).toMatch(/The input of the call is/);
        expect(String(error), name).not.toContain("secret");
      }
    }
  });
});
