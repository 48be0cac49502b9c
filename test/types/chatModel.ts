/** Compiled, never run: what the chat models' types accept and refuse. */
import type { AIMessageChunk } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOllama, type Ollama } from "@langchain/ollama";
import { createAgent } from "langchain";
import { z } from "zod";
import { countTokens, OptimizedChatOllama, OptimizedOllama } from "../../src/index.js";

const model: OptimizedChatOllama = new OptimizedChatOllama({
  model: "qwen3:8b",
  temperature: 0,
  numCtx: 8192,
  keepAlive: "1h",
  think: "low",
  store: "./optimizer",
  optimize: "command",
  optimizer: { bufferMultiplier: 1.2 },
  onOverflow: "trim",
  storeText: true,
  redact: (text) => text.toUpperCase(),
});
new OptimizedChatOllama("qwen3:8b", { store: false });
new OptimizedChatOllama();

const options = {
  numCtx: 8192,
  numBatch: 256,
  keepAlive: "1h",
  think: false,
  optimize: false,
  onOverflow: "cut",
  stop: ["x"],
} as const;
const mutable = { ...options, stop: ["x"] };

export async function accepted(): Promise<void> {
  const reply: AIMessageChunk = await model.invoke("a", { ...mutable, tags: ["t"], timeout: 1000 });
  for await (const chunk of await model.stream("a", mutable)) chunk satisfies AIMessageChunk;
  const replies: AIMessageChunk[] = await model.batch(["a"], mutable);
  await model.batch(["a", "b"], [mutable, { numCtx: 4096 }], { returnExceptions: true });
  await model.generate([["a"]], mutable);
  for await (const { event } of model.streamEvents("a", { ...mutable, version: "v2" }))
    event satisfies string;
  for await (const { event } of model.streamEvents("a", mutable)) event satisfies string;
  await model.streamV2("a", mutable);
  await model.withConfig(mutable).invoke("a", { numBatch: 5 });
  await model.bindTools([], mutable).invoke("a", { numCtx: 5 });
  const person = await model.withStructuredOutput(z.object({ name: z.string() })).invoke("a");
  person.name satisfies string;
  const text: string = await model.pipe((message: AIMessageChunk) => message.text).invoke("a");
  const { tokens, source } = await model.countTokens("a", { tools: [] });
  await countTokens("a", { model: "qwen3:8b" });
  model.profile.maxInputTokens satisfies number | undefined;
  const plain: ChatOllama = model;
  createAgent({ model, tools: [tool(() => "1", { name: "one", schema: z.object({}) })] });

  const textModel: Ollama = new OptimizedOllama({ model: "a", stop: ["x"], optimize: true, store: false });
  await new OptimizedOllama({ model: "a" }).invoke("a", { numCtx: 5, images: [], keepAlive: 3 });
  void [reply, replies, text, tokens, source, plain, textModel];
}

export async function refused(): Promise<void> {
  // @ts-expect-error a window is a number
  await model.invoke("a", { numCtx: "8192" });
  // @ts-expect-error no such policy
  await model.stream("a", { onOverflow: "ignore" });
  // @ts-expect-error no such mode
  await model.batch(["a"], { optimize: "sometimes" });
  // @ts-expect-error the model is the instance's
  await model.invoke("a", { model: "other" });
  // @ts-expect-error no such level
  model.withConfig({ think: "extreme" });
  // @ts-expect-error no such field
  new OptimizedChatOllama({ window: 5 });
  // @ts-expect-error no such tuning option
  new OptimizedChatOllama({ optimizer: { speed: 5 } });
  // @ts-expect-error LangChain's own model does not read it: its types stay as they are
  await new ChatOllama().invoke("a", { numCtx: 8192 });
  // @ts-expect-error a window is a number
  await new OptimizedOllama().invoke("a", { numCtx: "5" });
}
