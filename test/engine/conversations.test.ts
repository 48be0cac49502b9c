import { expect, test } from "vitest";
import { Conversations } from "../../src/engine/conversations.js";

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

test("a call that begins with all messages of an earlier one extends it", () => {
  const conversations = new Conversations();
  const first = [{ role: "system", content: "Be brief." }, user("Hello")];
  expect(conversations.extendsEarlier("m", first)).toBe(false);
  expect(conversations.extendsEarlier("m", [...first, assistant("Hi"), user("More")])).toBe(true);
});

test("the same call again, another question behind one system prompt, and other models do not", () => {
  const conversations = new Conversations();
  const system = { role: "system", content: "Be brief." };
  conversations.extendsEarlier("m", [system, user("Hello")]);
  expect(conversations.extendsEarlier("m", [system, user("Hello")])).toBe(false);
  expect(conversations.extendsEarlier("m", [system, user("Another")])).toBe(false);
  expect(conversations.extendsEarlier("n", [system, user("Hello"), assistant("Hi"), user("More")])).toBe(
    false,
  );
});

test("only the last calls are remembered", () => {
  const conversations = new Conversations(2);
  conversations.extendsEarlier("m", [user("a")]);
  conversations.extendsEarlier("m", [user("b")]);
  conversations.extendsEarlier("m", [user("c")]);
  expect(conversations.extendsEarlier("m", [user("a"), assistant("x"), user("y")])).toBe(false);
  expect(conversations.extendsEarlier("m", [user("c"), assistant("x"), user("y")])).toBe(true);
});
