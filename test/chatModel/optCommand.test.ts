import { AIMessage, type BaseMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseOptCommand, stripOptCommands } from "../../src/chatModel/optCommand.js";

describe("parseOptCommand", () => {
  test.each([
    ["/opt Hello", {}, "Hello"],
    ["/opt", {}, ""],
    ["  /opt\n Hello\nworld", {}, "Hello\nworld"],
    [
      "/opt reserve=2048 template=t1 explain=true Hello",
      { reserve: 2048, template: "t1", explain: true },
      "Hello",
    ],
    ["/opt explain=false x", { explain: false }, "x"],
    ["/opt explain quantum physics", {}, "explain quantum physics"],
    ["/opt -- a=1", {}, "a=1"],
    ["/opt reserve=5 -- a=1", { reserve: 5 }, "a=1"],
    ["/opt 1=1 is true", {}, "1=1 is true"],
  ])("%s", (text, command, rest) => {
    expect(parseOptCommand(text)).toEqual({ command, text: rest });
  });

  test.each(["Hello /opt", "/optimize this", "opt x", "", "//opt x"])("%s is no command", (text) => {
    expect(parseOptCommand(text)).toBeNull();
  });

  test.each([
    ["/opt numCtx=4096 x", /"numCtx"/],
    ["/opt model=other x", /"model"/],
    ["/opt keepAlive=0 x", /"keepAlive"/],
    ["/opt reserve=0 x", /reserve/],
    ["/opt reserve=many x", /reserve/],
    ["/opt reserve=-5 x", /reserve/],
    ["/opt explain=perhaps x", /explain/],
    ["/opt template= x", /template/],
  ])("%s is refused, with what is permitted", (text, message) => {
    expect(() => parseOptCommand(text)).toThrow(message);
    expect(() => parseOptCommand(text)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  test("any text after -- comes back as it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const rest = text.trimStart();
        expect(parseOptCommand(`/opt -- ${rest}`)).toEqual({ command: {}, text: rest });
      }),
    );
  });

  test("never throws anything but its own error, and quotes no value", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (key, value) => {
        try {
          parseOptCommand(`/opt ${key}=secret${value} text`);
        } catch (error) {
          expect(error).toMatchObject({ code: "OPTION_INVALID" });
          expect((error as Error).message).not.toContain("secret");
        }
      }),
    );
  });
});

describe("stripOptCommands", () => {
  const texts = (messages: readonly BaseMessage[]) => messages.map(({ content }) => content);

  test("messages without a command come back as the very same array", () => {
    const messages = [new SystemMessage("/opt x"), new HumanMessage("a"), new AIMessage("/opt y")];
    expect(stripOptCommands(messages)).toEqual({ messages, command: undefined });
    expect(stripOptCommands(messages).messages).toBe(messages);
  });

  test("the last user message commands, also with tool results after it", () => {
    const { messages, command } = stripOptCommands([
      new HumanMessage("/opt reserve=9 a"),
      new AIMessage("b"),
    ]);
    expect(command).toEqual({ reserve: 9 });
    expect(texts(messages)).toEqual(["a", "b"]);
  });

  test("commands of earlier turns are removed too, and say nothing any more", () => {
    const { messages, command } = stripOptCommands([
      new HumanMessage("/opt reserve=9 a"),
      new AIMessage("b"),
      new HumanMessage("c"),
    ]);
    expect(command).toBeUndefined();
    expect(texts(messages)).toEqual(["a", "b", "c"]);
  });

  test("a mistake in an earlier turn is text by now", () => {
    const { messages } = stripOptCommands([new HumanMessage("/opt bad=1 a"), new HumanMessage("b")]);
    expect(texts(messages)).toEqual(["/opt bad=1 a", "b"]);
  });

  test("strips the text of content blocks, and keeps id, name and image", () => {
    const image = { type: "image_url", image_url: "data:;base64,AAAA" };
    const { messages } = stripOptCommands([
      new HumanMessage({ id: "1", name: "ann", content: [{ type: "text", text: "/opt hi" }, image] }),
    ]);
    expect(messages[0]).toMatchObject({
      id: "1",
      name: "ann",
      content: [{ type: "text", text: "hi" }, image],
    });
  });

  test("a second time changes nothing and still knows the command", () => {
    const once = stripOptCommands([new HumanMessage("/opt reserve=9 /opt twice")]);
    const again = stripOptCommands(once.messages);
    expect(texts(again.messages)).toEqual(["/opt twice"]);
    expect(again.command).toEqual({ reserve: 9 });
  });
});
