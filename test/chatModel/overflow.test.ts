import {
  AIMessage,
  type BaseMessage,
  HumanMessage,
  SystemMessage,
  ToolMessage,
} from "@langchain/core/messages";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { trimToFit } from "../../src/chatModel/overflow.js";

const call = (id: string) =>
  new AIMessage({ content: `call ${id}`, tool_calls: [{ id, name: "f", args: {} }] });
const result = (id: string) => new ToolMessage({ tool_call_id: id, content: `result ${id}` });
/** One message is one token. */
const byNumber = async (messages: BaseMessage[]) => messages.length;
const texts = (messages: BaseMessage[] | null) => messages?.map(({ content }) => content);

describe("trimToFit", () => {
  const conversation = [
    new SystemMessage("system"),
    new HumanMessage("question 1"),
    new AIMessage("answer 1"),
    new HumanMessage("question 2"),
    new AIMessage("answer 2"),
    new HumanMessage("question 3"),
  ];

  test("leaves out the oldest turns, whole", async () => {
    expect(texts(await trimToFit(conversation, 5, byNumber))).toEqual([
      "system",
      "question 2",
      "answer 2",
      "question 3",
    ]);
  });

  test("keeps the system messages and the last question when only they fit", async () => {
    expect(texts(await trimToFit(conversation, 2, byNumber))).toEqual(["system", "question 3"]);
  });

  test("gives up when even they do not fit", async () => {
    expect(await trimToFit(conversation, 1, byNumber)).toBeNull();
  });

  const rounds = [
    new SystemMessage("system"),
    new HumanMessage("old"),
    new AIMessage("answer"),
    new HumanMessage("question"),
    call("a"),
    result("a"),
    call("b"),
    result("b"),
  ];

  test("leaves out whole rounds of tool calls once the history is gone", async () => {
    expect(texts(await trimToFit(rounds, 5, byNumber))).toEqual(["system", "question", "call b", "result b"]);
  });

  test("never leaves out the latest round", async () => {
    expect(await trimToFit(rounds, 3, byNumber)).toBeNull();
  });

  test("a prompt without a user message keeps its last message", async () => {
    const messages = [new AIMessage("a"), new AIMessage("b"), new AIMessage("c")];
    expect(texts(await trimToFit(messages, 1, byNumber))).toEqual(["c"]);
  });

  test("system messages alone cannot be trimmed", async () => {
    expect(await trimToFit([new SystemMessage("a"), new SystemMessage("b")], 1, byNumber)).toBeNull();
  });

  const turn = fc.constantFrom<() => BaseMessage[]>(
    () => [new HumanMessage("q"), new AIMessage("a")],
    () => [new HumanMessage("q"), call("x"), result("x"), new AIMessage("a")],
    () => [new HumanMessage("q"), call("x"), result("x"), result("y")],
    () => [new HumanMessage("q")],
  );
  test("what is left fits, has the system and the last user message, and no tool result without its call", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 8 }), fc.nat(20), async (turns, limit) => {
        const messages = [new SystemMessage("s"), ...turns.flatMap((make) => make())];
        const left = await trimToFit(messages, limit, byNumber);
        if (left === null) return;
        expect(left.length).toBeLessThanOrEqual(limit);
        expect(left[0]).toBe(messages[0]);
        expect(left).toContain(messages.findLast((message) => message.getType() === "human"));
        for (const [i, message] of left.entries()) {
          if (message.getType() === "tool") expect(["ai", "tool"]).toContain(left[i - 1]!.getType());
        }
        expect(left).toEqual(messages.filter((message) => left.includes(message)));
      }),
    );
  });
});
