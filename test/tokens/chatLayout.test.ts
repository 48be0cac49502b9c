import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChatLayout, type ChatMessage } from "../../src/tokens/index.js";
import { wellFormed } from "../../src/tokens/wellFormed.js";
import { hoisting, llama, probeOf, qwen, type Template, thinker } from "./chatTemplates.js";

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });
const system = (content: string): ChatMessage => ({ role: "system", content });
const call = (name: string, args: unknown): ChatMessage => ({
  role: "assistant",
  content: "",
  tool_calls: [{ function: { name, arguments: args } }],
});
const result = (content: string): ChatMessage => ({ role: "tool", content, tool_name: "weather" });
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
const day = () => new Date("2026-11-21T12:00:00");

async function learned(
  template: Template,
  ...conversations: (readonly ChatMessage[])[]
): Promise<ChatLayout> {
  const layout = new ChatLayout(day);
  for (const messages of conversations) await layout.learn(messages, {}, probeOf(template));
  return layout;
}

describe.each([qwen, llama, thinker])("with the template of $name", (template) => {
  const word = fc
    .string({ unit: "grapheme", maxLength: 20 })
    .filter((text) => text.trim() !== "" && !text.includes("</think>"));
  const turn = fc.tuple(word, word).map(([question, reply]) => [user(question), assistant(reply)]);
  const conversation = fc
    .tuple(fc.option(word.map(system), { nil: undefined }), fc.array(turn, { maxLength: 12 }), word)
    .map(([head, turns, last]) => [...(head ? [head] : []), ...turns.flat(), user(last)]);

  test("every conversation is rendered as the server renders it, after two short ones", async () => {
    const layout = await learned(template, [user("a")], [system("s"), user("a")]);
    fc.assert(
      fc.property(conversation, (messages) => {
        expect(layout.render(messages)).toBe(
          template.render(messages.map((m) => ({ ...m, content: wellFormed(m.content) }))),
        );
      }),
    );
  });

  test("a growing conversation needs no probe after the first", async () => {
    const probe = probeOf(template);
    const layout = new ChatLayout(day);
    const messages = [user("first")];
    await layout.learn(messages, {}, probe);
    const afterFirst = probe.asked;
    for (let turns = 0; turns < 30; turns++) {
      messages.push(assistant(`reply ${turns}`), user(`question ${turns}`));
      await layout.learn(messages, {}, probe);
      expect(layout.render(messages)).toBe(template.render(messages));
    }
    expect(afterFirst).toBeLessThanOrEqual(3);
    expect(probe.asked).toBe(afterFirst);
  });
});

test.each([qwen, llama])("tool lists, calls and results are rendered as $name does", async (template) => {
  const layout = new ChatLayout(day);
  const probe = probeOf(template);
  const messages = [
    system("Be brief."),
    user("Paris?"),
    call("weather", { city: "Paris <é>", days: 2, nested: { b: [1, null], a: "&" } }),
    result('{"sky": "grey"}\n'),
    assistant("Grey."),
    user("And Rome?"),
    call("weather", { city: "Rome" }),
    result("sunny"),
    result("warm"),
  ];
  for (let length = 2; length <= messages.length; length++) {
    const part = messages.slice(0, length);
    if (part.at(-1)?.role === "assistant") continue;
    await layout.learn(part, { tools }, probe);
    expect(layout.render(part, { tools })).toBe(template.render(part, tools));
  }
  expect(layout.render(messages, { tools: [...tools, ...tools] })).toBeNull();
});

test("arguments that a template writes in its own way are learned call by call", async () => {
  const xml: Template = {
    name: "XML",
    render: (messages) =>
      messages
        .map(({ role, content, tool_calls }) => {
          const args = (tool_calls ?? []).flatMap(({ function: f }) => Object.entries(f.arguments as object));
          return `<${role}>${content}${args.map(([key, value]) => `<p=${key}>${String(value)}</p>`).join("")}`;
        })
        .join("\n"),
  };
  const layout = new ChatLayout(day);
  const messages = [user("a"), call("weather", { city: "Rome" }), result("b")];
  await layout.learn(messages, {}, probeOf(xml));
  expect(layout.render(messages)).toBe(xml.render(messages));
  const other = [user("a"), call("weather", { city: "Paris" }), result("b")];
  expect(layout.render(other)).toBeNull();
  await layout.learn(other, {}, probeOf(xml));
  expect(layout.render(other)).toBe(xml.render(other));
  expect(JSON.stringify(layout)).not.toContain("Rome");
});

test("thinking is kept after the last user message and dropped before it", async () => {
  const thought = { ...assistant("Because."), thinking: " Let me see. " };
  const messages = [user("Why?"), thought, user("Why not?"), thought];
  const layout = await learned(thinker, messages, messages.slice(0, 3));
  expect(layout.render(messages)).toBe(thinker.render(messages));
  expect(layout.render(messages.slice(0, 3))).toBe(thinker.render(messages.slice(0, 3)));
  expect(layout.render([user("Why?")], { think: false })).toBeNull();
});

test("each think flag is learned by itself", async () => {
  const layout = new ChatLayout(day);
  for (const think of [true, false, undefined]) {
    await layout.learn([user("a")], { think }, probeOf(thinker));
    expect(layout.render([user("a")], { think })).toBe(thinker.render([user("a")], undefined, think));
  }
});

describe("a template that collects system messages at the beginning", () => {
  test("is exact for system messages at the beginning and for equal roles in a row", async () => {
    const messages = [system("a"), system("b"), user("c"), user("d"), assistant("e"), user("f")];
    const layout = await learned(hoisting, messages);
    expect(layout.render(messages)).toBe(hoisting.render(messages));
  });

  test("is exact for a system message further down, and for more of them in other places", async () => {
    const messages = [user("a"), assistant("b"), system("late"), user("c")];
    const layout = await learned(hoisting, messages);
    expect(layout.render(messages)).toBe(hoisting.render(messages));
    const longer = [system("s"), ...messages, assistant("d"), system("later"), user("e")];
    await layout.learn(longer, {}, probeOf(hoisting));
    expect(layout.render(longer)).toBe(hoisting.render(longer));
    const last = [user("a"), system("last")];
    await layout.learn(last, {}, probeOf(hoisting));
    expect(layout.render(last)).toBe(hoisting.render(last));
    const again = ChatLayout.fromJSON(JSON.parse(JSON.stringify(layout)), day);
    expect(again.render(longer)).toBe(hoisting.render(longer));
  });

  test("is exact where a system message keeps two messages of one role apart", async () => {
    const merged: Template = {
      name: "equal roles in one",
      render: (messages) => {
        const system = messages.filter(({ role }) => role === "system").map(({ content }) => content);
        const text = messages.map(({ role, content }, index) => {
          if (role === "system") return "";
          return messages[index - 1]?.role === role ? `\n\n${content}` : `<end><${role}>${content}`;
        });
        return `<system>${system.join("\n\n")}${text.join("")}<end><assistant>`;
      },
    };
    const layout = await learned(merged, [user("a"), system("late"), user("b")]);
    const messages = [user("a"), assistant("b"), user("c"), system("late"), user("d")];
    await layout.learn(messages, {}, probeOf(merged));
    expect(layout.render(messages)).toBe(merged.render(messages));
    expect(layout.render([user("x"), system("y"), user("z")])).toBe(
      merged.render([user("x"), system("y"), user("z")]),
    );
  });

  test("is not guessed where what follows depends on a system message further up", async () => {
    const odd: Template = {
      name: "odd",
      render: (messages) =>
        hoisting.render(messages) +
        messages
          .filter(({ role }, i) => role === "system" && messages[i - 1]?.role === "user")
          .map(() => "!"),
    };
    const layout = await learned(odd, [user("a"), system("late"), user("c")]);
    const other = [user("a"), assistant("b"), system("late"), user("c")];
    await layout.learn(other, {}, probeOf(odd));
    expect(layout.render(other)).toBeNull();
    expect(layout.isLearnable(other)).toBe(false);
  });
});

test("a system message further down is exact where templates write it in its place", async () => {
  const messages = [user("a"), system("late"), user("b"), assistant("c"), system("later"), user("d")];
  for (const template of [llama, thinker]) {
    const layout = await learned(template, messages);
    expect(layout.render(messages), template.name).toBe(template.render(messages));
  }
});

test("a template that depends on more than neighbours is found out by the check", async () => {
  const numbered: Template = {
    name: "numbered",
    render: (messages) =>
      messages.map(({ role, content }, index) => `${index}. ${role}: ${content}`).join("\n"),
  };
  const layout = await learned(numbered, [user("a")]);
  expect(layout.render([user("a")])).toBeNull();
});

test("a template that trims newlines only is found out by the check", async () => {
  const odd: Template = {
    name: "odd",
    render: (messages) => messages.map(({ content }) => `[${content.replace(/^\n+/, "")}]`).join(""),
  };
  expect((await learned(odd, [user("a")])).render([user("a")])).toBeNull();
});

test("a piece that names the day holds for that day only", async () => {
  const dated: Template = {
    name: "dated",
    render: (messages) =>
      `Today is 21 Nov 2026.\n${messages.map(({ content }) => `<u>${content}`).join("")}<a>`,
  };
  let now = new Date("2026-11-21T12:00:00");
  const layout = new ChatLayout(() => now);
  await layout.learn([user("a")], {}, probeOf(dated));
  expect(layout.render([user("b")])).toBe(dated.render([user("b")]));
  now = new Date("2026-11-22T12:00:00");
  expect(layout.render([user("b")])).toBeNull();
  const tomorrow = {
    ...dated,
    render: (messages: readonly ChatMessage[]) => dated.render(messages).replace("21", "22"),
  };
  await layout.learn([user("a")], {}, probeOf(tomorrow));
  expect(layout.render([user("b")])).toBe(tomorrow.render([user("b")]));
});

test("a server that leaves messages out of a probe teaches nothing", async () => {
  const forgetful = {
    name: "short",
    render: (messages: readonly ChatMessage[]) => qwen.render(messages.slice(-1)),
  };
  const messages = [user("a"), assistant("b"), user("c")];
  const layout = await learned(forgetful, messages);
  expect(layout.render(messages)).toBeNull();
});

test("a template that shows no system message is as exact as others", async () => {
  const deaf = {
    name: "deaf",
    render: (messages: readonly ChatMessage[]) =>
      qwen.render([system("fixed"), ...messages.filter(({ role }) => role !== "system")]),
  };
  const messages = [system("Be brief."), user("a"), assistant("b"), user("c")];
  const layout = await learned(deaf, messages);
  expect(layout.render(messages)).toBe(deaf.render(messages));
});

test("a server that renders nothing leaves the layout as it was", async () => {
  const layout = new ChatLayout(day);
  await layout.learn([user("a")], {}, async () => null);
  expect(layout.render([user("a")])).toBeNull();
  expect(layout.isLearnable([user("a")])).toBe(true);
});

test("images are never rendered", async () => {
  const layout = await learned(qwen, [user("a"), assistant("b"), user("c")]);
  expect(layout.render([{ ...user("a"), images: ["iVBOR"] }])).toBeNull();
});

test("a thought inside a content is written as the template writes it", async () => {
  const answered = (cut: (content: string) => string): Template => ({
    name: "answered",
    render: (messages) =>
      qwen.render(messages.map((m) => (m.role === "assistant" ? { ...m, content: cut(m.content) } : m))),
  });
  const templates = [
    qwen,
    answered((content) => content.split("</think>").at(-1) as string),
    answered((content) => (content.split("</think>").at(-1) as string).replace(/^\n+/, "")),
    answered((content) => (content.split("</think>").at(-1) as string).trim()),
  ];
  const messages = [user("a"), assistant("<think>\nhm\n</think>\n\nb </think> c "), user("d")];
  for (const template of templates) {
    const layout = await learned(template, messages);
    expect(layout.render(messages)).toBe(template.render(messages));
  }
  const odd = answered((content) => content.replace(/<think>[\s\S]*?<\/think>\s*/, ""));
  expect((await learned(odd, messages)).render(messages)).toBeNull();
});

test("empty and blank contents are rendered as the template has them", async () => {
  const blank = [user(""), assistant(" \n"), user("c")];
  for (const template of [qwen, llama, thinker]) {
    expect((await learned(template, blank)).render(blank)).toBe(template.render(blank));
  }
});

test("lone surrogates are rendered as the wire carries them", async () => {
  const layout = await learned(qwen, [user("a")]);
  expect(layout.render([user("x\ud83d")])).toBe(qwen.render([user("x\ufffd")]));
});

test("a long conversation is learned from a short probe", async () => {
  const messages = Array.from({ length: 400 }, (_, index) => (index % 2 ? assistant("b") : user("a"))).slice(
    0,
    399,
  );
  const layout = new ChatLayout(day);
  await layout.learn(messages, {}, async (asked) => {
    expect(asked.length).toBeLessThanOrEqual(16);
    return qwen.render(asked);
  });
  expect(layout.render(messages)).toBe(qwen.render(messages));
});

test("what was learned survives as JSON, without tools and their calls", async () => {
  const layout = await learned(qwen, [user("a")]);
  const withTools = [user("a"), call("secret_tool", { secret: 1 })];
  await layout.learn(withTools, { tools: [{ function: { name: "secret_tool" } }] }, probeOf(qwen));
  const kept = JSON.stringify(layout);
  expect(kept).not.toContain("secret");
  const again = ChatLayout.fromJSON(JSON.parse(kept), day);
  expect(again.render([user("x"), assistant("y"), user("z")])).toBe(
    qwen.render([user("x"), assistant("y"), user("z")]),
  );
  expect(ChatLayout.fromJSON({ version: 0 }).render([user("a")])).toBeNull();
  expect(ChatLayout.fromJSON(undefined).render([user("a")])).toBeNull();
});
