/**
 * Counts against `prompt_eval_count` of real servers: 0 tokens off on the Qwen, Llama 3 and SmolLM2 tokenizers, within
 * 1 % on SentencePiece, after at most three probes and one reply per model. An engine older than llama.cpp's of
 * early 2026 reads a literal `</s>` as text where newer ones take it for a control token; nobody else's text is affected.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/tokens.live.test.ts
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { byteBound } from "../../src/tokens/byteBound.js";
import { type ChatContext, ChatLayout, type ChatMessage, TokenizerPool } from "../../src/tokens/index.js";

const WINDOW = 8_192;
const options = { num_ctx: WINDOW, num_predict: 1, temperature: 0 };
const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });
const system = (content: string): ChatMessage => ({ role: "system", content });

const texts: Readonly<Record<string, string>> = {
  English:
    "It's a truth universally acknowledged, that we'll see what they've done; I'm sure he'd agree. ".repeat(
      8,
    ),
  "upper case": "IT'S WHAT WE'LL SEE AND THEY'VE DONE. DON'T SHOUT!! OK???\n".repeat(3),
  code: "export const add = (a: number, b?: number): number => {\n\treturn a + (b ?? 0x1F);  // ok\n};\n\n".repeat(
    8,
  ),
  shell:
    '#!/bin/sh\nset -eu\nfor f in $(ls -1 "$HOME"/*.txt | sort -r); do echo "$f" >> out.log 2>&1; done\n'.repeat(
      5,
    ),
  "indented JSON": JSON.stringify(
    { id: 17, list: [1, 2.5, -3e8, null, true], deep: { a: [{ b: "x" }] } },
    null,
    4,
  ).repeat(3),
  "digits and dates":
    "2026-11-21T10:48:46Z 3.14159265 1,234,567 +49 30 901820 0000 12345678901234567890 ½ ² ٣ ".repeat(3),
  Chinese: "默认的上下文窗口很小，较长的提示会被悄悄截断。服务器不会报错，只回答一半的问题！".repeat(3),
  Japanese: "デフォルトのウィンドウは小さいです。長いプロンプトは、黙って切り捨てられます。".repeat(3),
  Thai: "หน้าต่างเริ่มต้นมีขนาดเล็ก ข้อความที่ยาวกว่าจะถูกตัดออกอย่างเงียบ ๆ ".repeat(3),
  Arabic: "النافذة الافتراضية صغيرة، والنص الأطول يُقطع بصمت. العَرَبِيَّة ".repeat(3),
  Hindi: "डिफ़ॉल्ट विंडो छोटी है और लंबा संकेत चुपचाप काट दिया जाता है। ".repeat(3),
  Korean: "기본 창은 작고 더 긴 프롬프트는 조용히 잘립니다. ".repeat(3),
  emoji: "🙂👩‍👩‍👧‍👦🏳️‍🌈 ok 🇩🇪🎉👍🏽 … — “quoted” ‘text’ №5 ™ €100 ".repeat(3),
  "white space": `a${" ".repeat(300)}b\n\n\n\nc\t\t\td \n \n  e${"\n".repeat(120)}f\r\n\r\ng\u00a0\u3000h\u0085i`,
  "one character": "a".repeat(1_500),
  "literal control tokens":
    "before <|im_end|> <|eot_id|>after<|endoftext|>\n<|im_start|>user\n<s> [INST] <|begin_of_text|>!",
  "odd Unicode":
    "e\u0301 Z\u0351\u0327 \u200b\u200d\ufeff \u{1d11e} \u{e0001} ﬁ ǅ İı ß ſ K Å \u0000 \u001b[0m",
  "lone surrogates": "a\ud83db\ude42c",
  "leading and trailing white space": "\n\n  indented\n\n",
  URL: "https://example.org/a_b/c-d?q=1&r=%20x#frag user@example.org C:\\Users\\x\\y.txt ".repeat(3),
};

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city & its <surroundings>.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer", description: "1 to 7" } },
      required: ["city"],
    },
  },
};

const filler = Object.values(texts).slice(0, 8);
const long = Array.from({ length: 31 }, (_, index) => {
  const text = `${index}. ${filler[index % filler.length]?.slice(0, 50)}`;
  return index % 2 ? assistant(text) : user(text);
});

/** Conversations whose counts must be right; tool lists and calls need a template that knows them. */
function conversations(name: string, hasTools: boolean): [string, readonly ChatMessage[], ChatContext][] {
  const plain: [string, readonly ChatMessage[], ChatContext][] = [
    ...Object.entries(texts).map(([name, text]): [string, readonly ChatMessage[], ChatContext] => [
      name,
      [user(text)],
      {},
    ]),
    ["a system message", [system("Be brief.\nReally."), user("Hello")], {}],
    ["two system messages", [system("Be brief."), system("Be kind."), user("Hello")], {}],
    ["a conversation", [system("Be brief."), user("Hello"), assistant("Hi!"), user("How are you?\n")], {}],
    ["a long conversation", long, {}],
    ["a long conversation with a system message", [system("Be brief."), ...long], {}],
    ["users in a row", [user("One."), user("Two.")], {}],
    ["an empty user message", [user("a"), assistant(""), user("b")], {}],
  ];
  if (!hasTools) return plain;
  const call = (city: string): ChatMessage => ({
    role: "assistant",
    content: "",
    tool_calls: [{ function: { name: "get_weather", arguments: { days: 2, city, note: "<b> & é" } } }],
  });
  const agent = [
    user("Weather in Paris?"),
    call("Paris"),
    { role: "tool", content: '{"sky": "grey", "°C": 7}\n', tool_name: "get_weather" },
    assistant("Grey, 7 °C."),
    user("And in Rome?"),
    call("Rome"),
    { role: "tool", content: "sunny", tool_name: "get_weather" },
  ];
  return [
    // The same weights as smollm2, which are slow: only what its template adds.
    ...(name === "smollm2-tools" ? [] : plain),
    ["a tool list", [user("Weather in Paris?")], { tools: [weather] }],
    ["two tools and a system message", [system("Be brief."), user("Hi")], { tools: [weather, weather] }],
    ["a tool call and its result", agent.slice(0, 3), { tools: [weather] }],
    ["an agent's conversation", agent, { tools: [weather] }],
  ];
}

const models = [
  { name: "random-qwen", offTokens: 0, hasTools: true },
  { name: "random-llama3", offTokens: 0, hasTools: true },
  { name: "smollm2", offTokens: 0, hasTools: false },
  { name: "smollm2-tools", offTokens: 0, hasTools: true },
  // The bar is 1 %; it is exact.
  { name: "random-spm", offTokens: 0, hasTools: false },
];

for (const [version, variable] of [
  ["0.34.0", "OLLAMA_TEST_0_34"],
  ["0.24.0", "OLLAMA_TEST_0_24"],
] as const) {
  const origin = process.env[variable];
  if (!origin) console.warn(`SKIPPED: token counts on Ollama ${version}, as ${variable} names no server`);

  describe.skipIf(!origin)(`token counts on Ollama ${version}`, () => {
    const pool = new TokenizerPool({ maxEncoders: 1 });
    afterAll(() => pool.close());

    const post = async (path: string, body: object): Promise<Response> => {
      const response = await fetch(`${origin}${path}`, { method: "POST", body: JSON.stringify(body) });
      if (!response.ok)
        throw new Error(`${path} answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
      return response;
    };

    describe.each(models)("$name", ({ name: model, offTokens, hasTools }) => {
      const layout = new ChatLayout();
      let probes = 0;
      let constant = 0;

      const probe = async (
        messages: readonly ChatMessage[],
        tools?: readonly unknown[],
      ): Promise<string | null> => {
        probes++;
        const body = { model, messages, tools, stream: false, options, _debug_render_only: true };
        const reply = (await (await post("/api/chat", body)).json()) as {
          _debug_info?: { rendered_template?: string };
        };
        return reply._debug_info?.rendered_template ?? null;
      };
      const countOfServer = async (
        messages: readonly ChatMessage[],
        { tools }: ChatContext,
      ): Promise<number> => {
        const body = { model, messages, tools, stream: false, options, truncate: false };
        return ((await (await post("/api/chat", body)).json()) as { prompt_eval_count: number })
          .prompt_eval_count;
      };
      const ownCount = async (messages: readonly ChatMessage[], context: ChatContext): Promise<number> => {
        await layout.learn(messages, context, probe);
        const prompt = layout.render(messages, context);
        expect(prompt, "the layout renders it").not.toBeNull();
        const count = await pool.count(model, prompt as string);
        expect(pool.countKnown(model, prompt as string)).toBe(count);
        expect(count).toBeLessThanOrEqual(byteBound(prompt as string) + messages.length);
        return count;
      };

      beforeAll(async () => {
        await pool.load(model, async () => [
          new Uint8Array(await (await post("/api/show", { model, verbose: true })).arrayBuffer()),
        ]);
        constant = (await countOfServer([user("Hello")], {})) - (await ownCount([user("Hello")], {}));
        expect(Math.abs(constant)).toBeLessThanOrEqual(1);
      });

      test("a growing conversation needs three probes at most", () => {
        expect(probes).toBeLessThanOrEqual(3);
      });

      test.each(conversations(model, hasTools))("%s", async (_, messages, context) => {
        const count = (await ownCount(messages, context)) + constant;
        const real = await countOfServer(messages, context);
        expect(Math.abs(count - real), `own ${count}, server ${real}`).toBeLessThanOrEqual(
          Math.floor(real * offTokens),
        );
      });
    });
  });
}
