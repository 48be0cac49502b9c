import { AIMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { describe, expect, test } from "vitest";
import { convertible } from "../../src/chatModel/messages.js";

describe("convertible", () => {
  test("text stays the very same", () => {
    const messages = [new HumanMessage("a"), new AIMessage("b")];
    expect(convertible(messages)).toBe(messages);
  });

  test.each([
    ["base64", { type: "image", source_type: "base64", mime_type: "image/png", data: "AAAA" }],
    ["standard base64", { type: "image", mimeType: "image/png", data: "AAAA" }],
    ["bytes", { type: "image", data: new Uint8Array([0, 0, 0]) }],
    ["a data address", { type: "image", url: "data:image/png;base64,AAAA" }],
    ["image_url", { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }],
    ["image_url as text", { type: "image_url", image_url: "data:image/png;base64,AAAA" }],
  ])("an image by %s becomes what ChatOllama converts", (_, block) => {
    const [message] = convertible([new HumanMessage({ content: [block] })]);
    expect(message!.content).toEqual([
      { type: "image_url", image_url: expect.stringMatching(/^data:.*;base64,AAAA$/) },
    ]);
  });

  test.each([
    { type: "image", url: "https://example.org/a.png" },
    { type: "image_url", image_url: "https://example.org/a.png" },
    { type: "image", fileId: "file-1" },
    { type: "audio", data: "AAAA" },
  ])("content that Ollama cannot take is a clear error: %o", (block) => {
    expect(() => convertible([new HumanMessage({ content: [block] })])).toThrow(
      expect.objectContaining({ code: "REQUEST_INVALID" }),
    );
  });

  test("a reply in content blocks keeps its text and its tool calls", () => {
    const [message] = convertible([
      new AIMessage({
        content: [
          { type: "reasoning", reasoning: "hm" },
          { type: "text", text: "a" },
          { type: "text", text: "b" },
          { type: "tool_call", id: "1", name: "add", args: { a: 1 } },
        ],
        tool_calls: [{ id: "1", name: "add", args: { a: 1 } }],
      }),
    ]);
    expect(message).toMatchObject({ content: "ab", tool_calls: [{ id: "1", name: "add", args: { a: 1 } }] });
  });

  test("a tool result in text blocks becomes text", () => {
    const [message] = convertible([
      new ToolMessage({ tool_call_id: "1", content: [{ type: "text", text: "42" }] }),
    ]);
    expect(message).toMatchObject({ content: "42", tool_call_id: "1" });
  });
});
