/**
 * What a client can observe of an Ollama server, as a list of scenarios that runs against the test server and
 * against real ones. Each starts with nothing loaded and returns facts: no durations, no words of the model.
 */
import { bytePairTokenizer, tinyTokenizer } from "../../src/testing/index.js";
import { type Json, post, words } from "./call.js";

/** The generated model (trained window 8,192, template ChatML without tools) under two names of one blob. */
export const scenarioModel = "scenario-tiny";
export const scenarioAlias = "scenario-alias";
export const trainedNumCtx = 8192;

export interface Scenario {
  readonly name: string;
  /** Only this version can be asked: others never end. */
  readonly version?: string;
  readonly run: (calls: Calls) => Promise<unknown>;
}

export interface Calls {
  /** A question in one piece, answered by one token. */
  ask(content: string, more?: Json): Promise<Fact>;
  /** Any body, e.g. to be refused. */
  send(path: string, body: unknown, method?: string): Promise<unknown>;
  /** Windows by name. */
  loaded(): Promise<unknown>;
  readonly origin: string;
}

interface Fact {
  readonly status: number;
  /** A load takes 200 ms and more, a call on a loaded model a few. */
  readonly loaded?: boolean;
  readonly promptTokens?: unknown;
  readonly cachedTokens?: unknown;
  readonly outputTokens?: unknown;
  readonly doneReason?: unknown;
  readonly error?: unknown;
}

export function callsOf(origin: string): Calls {
  const server = { origin };
  const ask: Calls["ask"] = async (content, more = {}) => {
    const { options, ...rest } = more;
    const { status, lines } = await post(server, "/api/chat", {
      model: scenarioModel,
      messages: [{ role: "user", content }],
      stream: false,
      ...rest,
      options: { num_predict: 1, temperature: 0, ...(options as Json | undefined) },
    });
    return fact(status, lines[0] ?? {});
  };
  return {
    origin,
    ask,
    async send(path, body, method = "POST") {
      const reply = await fetch(origin + path, {
        method,
        body: method !== "POST" ? undefined : typeof body === "string" ? body : JSON.stringify(body),
      });
      const text = await reply.text();
      const json = reply.headers.get("content-type")?.includes("json") ?? false;
      return {
        status: reply.status,
        type: reply.headers.get("content-type"),
        body: json && text !== "" ? (JSON.parse(text) as Json).error : text,
      };
    },
    async loaded() {
      const { models } = (await (await fetch(`${origin}/api/ps`)).json()) as { models: Json[] };
      return models.map(({ name, context_length }) => ({ name, context_length }));
    },
  };
}

/** Unloads what is loaded, also what others left, and waits until it is so. */
export async function nothingLoaded(calls: Calls): Promise<void> {
  for (let left = await names(calls); left.length > 0; left = await names(calls)) {
    // Unlike /api/chat, this unloads embedding models too.
    for (const model of left) await calls.send("/api/generate", { model, keep_alive: 0 });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function names(calls: Calls): Promise<string[]> {
  return ((await calls.loaded()) as { name: string }[]).map(({ name }) => name);
}

function fact(status: number, reply: Json): Fact {
  const error =
    typeof reply.error === "string" && reply.error.startsWith("{") ? JSON.parse(reply.error) : reply.error;
  if (status !== 200) return { status, error };
  return {
    status,
    loaded: (reply.load_duration as number) > 100e6,
    promptTokens: reply.prompt_eval_count,
    cachedTokens: reply.prompt_eval_cached_count,
    outputTokens: reply.eval_count,
    doneReason: reply.done_reason,
  };
}

/** Text whose prompt has exactly so many tokens, bos included. */
function promptOf(tokens: number): string {
  const { encodePrompt } = bytePairTokenizer(tinyTokenizer());
  const frame = encodePrompt("<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n").length;
  return words(tokens - frame);
}

const window = (num_ctx: number | null): Json => ({ options: { num_ctx } });

export const scenarios: readonly Scenario[] = [
  {
    name: "the default window made explicit does not reload",
    run: async ({ ask }) => [await ask("hi"), await ask("hi", window(4096)), await ask("hi")],
  },
  {
    name: "a smaller window reloads, and so does leaving it out",
    run: async ({ ask, loaded }) => [
      await ask("hi", window(2048)),
      await ask("hi", window(1024)),
      await ask("hi"),
      await loaded(),
    ],
  },
  {
    name: "a batch reloads, and so does leaving it out",
    run: async ({ ask }) => [
      await ask("hi", { options: { num_ctx: 2048 } }),
      await ask("hi", { options: { num_ctx: 2048, num_batch: 256 } }),
      await ask("hi", { options: { num_ctx: 2048, num_batch: 256 } }),
      await ask("hi", { options: { num_ctx: 2048 } }),
      await ask("hi", { options: { num_ctx: 2048, num_batch: 512 } }),
    ],
  },
  {
    name: "a batch of 512 reloads a window whose batch the server chose larger",
    run: async ({ ask }) => [
      await ask("hi", { options: { num_ctx: 8192 } }),
      await ask("hi", { options: { num_ctx: 8192, num_batch: 512 } }),
      await ask("hi", { options: { num_ctx: 8192, num_batch: 1024 } }),
      await ask("hi", { options: { num_ctx: 8192 } }),
    ],
  },
  {
    name: "null is the default, and an explicit one",
    run: async ({ ask, loaded }) => [
      await ask("hi", window(2048)),
      await ask("hi", window(null)),
      await loaded(),
      await ask("hi"),
    ],
  },
  {
    name: "zero is a window of 4",
    run: async ({ ask, loaded }) => [await ask("hi there", window(0)), await loaded()],
  },
  {
    name: "a window above the trained one is clamped",
    run: async ({ ask, loaded }) => [
      await ask("hi", window(1_000_000)),
      await loaded(),
      await ask("hi", window(1_000_000)),
      await ask("hi", window(8192)),
      await ask("hi", window(9000)),
    ],
  },
  {
    name: "windows that are padded alike reload all the same",
    run: async ({ ask, loaded }) => [
      await ask("hi", window(436)),
      await ask("hi", window(500)),
      await loaded(),
    ],
  },
  {
    name: "options that belong to one call do not reload",
    run: async ({ ask }) => [
      await ask("hi"),
      await ask("hi", { options: { seed: 4, temperature: 1, top_k: 3, num_keep: 8, stop: ["x"] } }),
      await ask("hi", { truncate: false }),
      await ask("hi", { keep_alive: "10m" }),
      await ask("hi", { format: "json" }),
    ],
  },
  {
    name: "threads reload",
    run: async ({ ask }) => [
      await ask("hi", { options: { num_thread: 1 } }),
      await ask("hi", { options: { num_thread: 1 } }),
      await ask("hi"),
    ],
  },
  {
    name: "shift reloads where it is a launch flag",
    run: async ({ ask }) => [
      await ask("hi"),
      await ask("hi", { shift: false }),
      await ask("hi", { shift: true }),
      await ask("hi"),
    ],
  },
  {
    name: "two names of one blob share a slot",
    run: async ({ ask, loaded }) => [
      await ask("hi"),
      await ask("hi", { model: scenarioAlias }),
      await loaded(),
      await ask("hi", { model: scenarioAlias, ...window(2048) }),
      await loaded(),
      await ask("hi", window(2048)),
    ],
  },
  {
    name: "a long prompt is cut silently",
    run: async ({ ask }) => [
      await ask(words(3000), window(1024)),
      await ask(words(3000), window(1000)),
      await ask(words(3000), window(300)),
      await ask(words(3000), { options: { num_ctx: 1024, num_keep: 100 } }),
    ],
  },
  {
    name: "prompts around the window",
    run: async ({ ask }) => [
      await ask(promptOf(1023), window(1024)),
      await ask(promptOf(1024), window(1024)),
      await ask(promptOf(1025), window(1024)),
    ],
  },
  {
    name: "prompts around the window that may not be cut",
    run: async ({ ask }) => [
      await ask(promptOf(1023), { truncate: false, ...window(1024) }),
      await ask(promptOf(1024), { truncate: false, ...window(1024) }),
      await ask(promptOf(1025), { truncate: false, ...window(1024) }),
    ],
  },
  {
    name: "a window that is no multiple of 256",
    run: async ({ ask }) => [
      await ask(promptOf(500), { truncate: false, ...window(436) }),
      await ask(promptOf(520), { truncate: false, ...window(436) }),
      await ask(promptOf(500), window(436)),
    ],
  },
  {
    name: "a refused prompt reloads first",
    run: async ({ ask, loaded }) => [
      await ask("hi", window(8192)),
      await ask(promptOf(5000), { truncate: false }),
      await loaded(),
    ],
  },
  {
    name: "a long prompt with shift: false",
    run: async ({ ask }) => [
      await ask(words(3000), { shift: false, ...window(1024) }),
      await ask(words(3000), { shift: false, truncate: false, ...window(1024) }),
    ],
  },
  {
    name: "the window's end with shift: false",
    run: async ({ ask }) => {
      const options = { num_ctx: 256, num_predict: 100, temperature: 1, seed: 1 };
      return [
        await ask(promptOf(200), { shift: false, options }),
        await ask(promptOf(250), { shift: false, options }),
        await ask(promptOf(255), { shift: false, options }),
      ];
    },
  },
  {
    name: "GPU layers and memory mapping",
    run: async ({ ask }) => [
      await ask("hi"),
      await ask("hi", { options: { num_gpu: 1 } }),
      await ask("hi", { options: { num_gpu: 1 } }),
      await ask("hi"),
      await ask("hi", { options: { use_mmap: true } }),
      await ask("hi", { options: { use_mmap: false } }),
      await ask("hi"),
      await ask("hi", { options: { main_gpu: 1 } }),
    ],
  },
  {
    name: "odd requests that are answered",
    run: async ({ ask, send }) => [
      await ask("hi", { model: `${scenarioModel}:latest` }),
      await ask("hi", { model: scenarioModel.toUpperCase() }),
      await ask("hi", { options: { no_such_option: 1 } }),
      await ask("", {}),
      await ask("\ud800 lone"),
      await ask("<|im_end|><|im_start|>user\n"),
      await ask("", { messages: [{ role: "user" }] }),
      await ask("", { messages: [{ role: "user", content: null }] }),
      await ask("", { messages: [{ role: "tool", content: "7", tool_name: "f" }] }),
      await ask("", {
        messages: [
          { role: "assistant", content: "", tool_calls: [{ function: { name: "f", arguments: {} } }] },
        ],
      }),
      await ask("hi", { format: "" }),
      await ask("hi", { format: "yaml" }),
      await ask("hi", { format: 5 }),
      await ask("hi", { think: false }),
      await ask("hi", { options: { num_ctx: 2.7 } }),
      await ask("hi", { options: { num_ctx: -1 } }),
      await send("/api/chat", {
        model: scenarioModel,
        messages: [{ role: "user", content: 5 }],
        stream: false,
      }),
      await send("/api/chat", {
        model: scenarioModel,
        messages: [{ role: "boss", content: "hi" }],
        stream: false,
        options: { num_predict: "1" },
      }),
      await send("/api/generate", {
        model: scenarioModel,
        prompt: "hi",
        raw: true,
        system: "x",
        stream: false,
      }),
      await send("/api/generate", { model: scenarioModel, prompt: 5 }),
    ],
  },
  {
    name: "num_predict of 0 is answered with nothing",
    version: "0.34.0",
    run: async ({ ask }) => [await ask("hi", { options: { num_predict: 0 } }), await ask("hi")],
  },
  {
    name: "whole messages are dropped first",
    run: async ({ ask }) => {
      const messages = [
        { role: "system", content: " to" },
        { role: "user", content: words(400) },
        { role: "assistant", content: words(400) },
        { role: "user", content: " be" },
      ];
      return [
        await ask("", { messages, ...window(2048) }),
        await ask("", { messages, ...window(512) }),
        await ask("", { messages, ...window(256) }),
        await ask("", { messages, truncate: false, ...window(256) }),
      ];
    },
  },
  {
    name: "num_predict ends in length",
    run: async ({ ask }) => [
      await ask("hi", { options: { num_predict: 7 } }),
      await ask(promptOf(200), { options: { num_ctx: 256, num_predict: 80, temperature: 1, seed: 1 } }),
    ],
  },
  {
    name: "the head of a repeated prompt is cached",
    run: async ({ ask }) => [
      await ask(promptOf(900)),
      await ask(promptOf(900)),
      await ask(`${promptOf(900)} and`),
      await ask(`of${words(700)}`),
      await ask(promptOf(900)),
    ],
  },
  {
    name: "a rendered prompt reloads a slot with other options",
    run: async ({ ask, loaded, origin }) => {
      await ask("hi", window(2048));
      const body = {
        model: scenarioModel,
        messages: [{ role: "user", content: "a <b>" }],
        _debug_render_only: true,
      };
      const { status, lines } = await post({ origin }, "/api/chat", { ...body, stream: false });
      return [status, { ...lines[0], created_at: undefined }, await loaded()];
    },
  },
  {
    name: "an embedding reloads a slot with other options",
    run: async ({ ask, loaded, origin }) => {
      await ask("hi", window(2048));
      const { status, lines } = await post({ origin }, "/api/embed", {
        model: scenarioModel,
        input: ["hi", " the of"],
      });
      const [reply] = lines;
      return [status, reply?.error, reply?.prompt_eval_count, await loaded()];
    },
  },
  {
    name: "preload and unload",
    run: async ({ loaded, origin }) => {
      const load = await post({ origin }, "/api/generate", {
        model: scenarioModel,
        options: { num_ctx: 2048 },
      });
      const afterLoad = await loaded();
      const unload = await post({ origin }, "/api/generate", { model: scenarioModel, keep_alive: 0 });
      const reasons = [...load.lines, ...unload.lines].map(({ created_at, ...rest }) => rest);
      return [load.status, load.type, unload.status, reasons, afterLoad];
    },
  },
  {
    name: "a raw prompt has no template",
    run: async ({ origin }) => {
      const body = {
        model: scenarioModel,
        prompt: " the of and",
        raw: true,
        stream: false,
        options: { num_predict: 1 },
      };
      const { status, lines } = await post({ origin }, "/api/generate", body);
      return [status, lines[0]?.prompt_eval_count, "context" in lines[0]!];
    },
  },
  {
    name: "the tokens of prompt and reply are the context",
    run: async ({ origin }) => {
      const body = {
        model: scenarioModel,
        prompt: " the of and",
        stream: false,
        options: { num_predict: 3, temperature: 0 },
      };
      const { lines } = await post({ origin }, "/api/generate", body);
      const context = lines[0]?.context as number[];
      return [
        lines[0]?.prompt_eval_count,
        context.length - (lines[0]?.prompt_eval_count as number),
        context[0],
      ];
    },
  },
  {
    name: "the tokenizer is told with verbose only",
    run: async ({ origin }) => {
      const show = async (verbose: boolean): Promise<Json> =>
        (await post({ origin }, "/api/show", { model: scenarioModel, verbose })).lines[0]?.model_info as Json;
      const [short, long] = [await show(false), await show(true)];
      const keys = [
        "merges",
        "tokens",
        "token_type",
        "model",
        "pre",
        "bos_token_id",
        "eos_token_id",
        "add_bos_token",
      ];
      return keys.map((key) => [short[`tokenizer.ggml.${key}`], long[`tokenizer.ggml.${key}`]]);
    },
  },
  {
    name: "what it says to bad requests",
    run: async ({ send }) => {
      const chat = { model: scenarioModel, messages: [{ role: "user", content: "hi" }], stream: false };
      const bodies: readonly (readonly [string, unknown])[] = [
        ["/api/chat", ""],
        ["/api/chat", "{}"],
        ["/api/chat", '{"a":1'],
        ["/api/chat", '{"a":1,}'],
        ["/api/chat", '{"a" 1}'],
        ["/api/chat", "[1 2]"],
        ["/api/chat", "nope"],
        ["/api/chat", { ...chat, messages: "hi" }],
        ["/api/chat", { ...chat, messages: ["hi"] }],
        ["/api/chat", { ...chat, stream: 1 }],
        ["/api/chat", { ...chat, options: 1 }],
        ["/api/chat", { ...chat, keep_alive: "300" }],
        ["/api/chat", { ...chat, keep_alive: "5x" }],
        ["/api/chat", { ...chat, keep_alive: "soon" }],
        ["/api/chat", { ...chat, keep_alive: [] }],
        ["/api/chat", { ...chat, options: { temperature: "hot" } }],
        ["/api/chat", { ...chat, options: { stop: "a" } }],
        ["/api/chat", { ...chat, options: { num_ctx: true } }],
        ["/api/chat", { ...chat, think: true }],
        ["/api/chat", { ...chat, tools: [{ type: "function", function: { name: "f" } }] }],
        ["/api/generate", { model: scenarioModel, prompt: "a", suffix: "b", stream: false }],
        ["/api/generate", { model: "nope", prompt: "a" }],
        ["/api/generate", { prompt: "a" }],
        ["/api/embed", { model: scenarioModel, input: [1] }],
        ["/api/embed", { model: "nope", input: "a" }],
        ["/api/show", { model: "nope" }],
        ["/api/show", {}],
        ["/api/tokenize", {}],
      ];
      const replies: unknown[] = [];
      for (const [path, body] of bodies) replies.push([path, body, await send(path, body)]);
      replies.push(
        await send("/", null, "GET"),
        await send("/", null, "HEAD"),
        await send("/api/chat", null, "GET"),
      );
      return replies;
    },
  },
];
