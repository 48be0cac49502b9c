/** `/api/chat` and `/api/generate` up to the point where the engine is asked. */
import { answer, type Question } from "./answer.js";
import { mergeOptions, wantedRunner } from "./callOptions.js";
import { beginCall, nanoseconds, requestedOptions } from "./calls.js";
import type { ChatMessage } from "./chatTemplate.js";
import type { Exchange } from "./exchange.js";
import { expectFields, keepAliveMs, parseBody, Refusal, wrongType } from "./goJson.js";
import type { ServedModel } from "./model.js";
import { emptyReply } from "./replyRecords.js";
import { findModel, fullName, type ServerState } from "./serverState.js";

type Body = Readonly<Record<string, unknown>>;

export async function chat(state: ServerState, exchange: Exchange): Promise<void> {
  const body = parseBody(exchange.text);
  expectFields(body, "ChatRequest", { ...fields, messages: "messages", tools: "tools" });
  const messages = (body.messages as readonly ChatMessage[] | null | undefined) ?? [];
  expectMessages(messages);
  const tools = (body.tools as readonly unknown[] | null | undefined) ?? [];
  const started = messages[0]?.role === "system";
  await run(state, exchange, body, {
    endpoint: "chat",
    tools,
    preload: messages.length === 0,
    contents: (model) => ({
      messages:
        started || !model.system ? messages : [{ role: "system", content: model.system }, ...messages],
      text: null,
    }),
  });
}

export async function generate(state: ServerState, exchange: Exchange): Promise<void> {
  const body = parseBody(exchange.text);
  expectFields(body, "GenerateRequest", {
    ...fields,
    prompt: "string",
    system: "string",
    suffix: "string",
    raw: "boolean",
  });
  const prompt = (body.prompt as string | undefined) ?? "";
  if (body.raw === true && (body.template || body.system)) {
    throw new Refusal(400, "raw mode does not support template, system, or context");
  }
  await run(state, exchange, body, {
    endpoint: "generate",
    tools: [],
    preload: prompt === "",
    contents: (model) => {
      const system = (body.system as string | undefined) || model.system;
      const user: ChatMessage = {
        role: "user",
        content: prompt,
        images: body.images as readonly string[] | undefined,
      };
      const messages = system ? [{ role: "system", content: system }, user] : [user];
      return { messages, text: body.raw === true || body.suffix ? prompt : null };
    },
  });
}

const fields = {
  model: "string",
  stream: "boolean",
  truncate: "boolean",
  shift: "boolean",
  options: "options",
} as const;

interface Endpoint {
  readonly endpoint: Question["endpoint"];
  readonly tools: readonly unknown[];
  /** Nothing to answer: load, or unload with `keep_alive: 0`. */
  readonly preload: boolean;
  /** `text` stands for a prompt that no template touches. */
  readonly contents: (model: ServedModel) => {
    readonly messages: readonly ChatMessage[];
    readonly text: string | null;
  };
}

async function run(state: ServerState, exchange: Exchange, body: Body, endpoint: Endpoint): Promise<void> {
  const keepAlive = keepAliveMs(body.keep_alive);
  const name = (body.model as string | null | undefined) ?? "";
  if (name === "" && endpoint.endpoint === "chat") throw new Refusal(400, "model is required");
  const model = findModel(state, name, `model '${name}' not found`);
  if (endpoint.preload && keepAlive === 0) {
    state.scheduler.unload(model);
    return exchange.json(200, emptyReply(endpoint.endpoint, name, state.clock.now(), "unload"));
  }
  const think = thinking(model, body);
  for (const needed of [
    "completion",
    ...(endpoint.tools.length > 0 ? ["tools"] : []),
    ...(body.suffix ? ["insert"] : []),
  ]) {
    if ((model.capabilities as readonly string[]).includes(needed)) continue;
    const subject =
      needed === "completion"
        ? `${JSON.stringify(name)} does not support ${endpoint.endpoint}`
        : `${fullName(model)} does not support ${needed}`;
    throw new Refusal(400, subject);
  }
  const requested = requestedOptions(body);
  const shift = state.generation.knowsTruncate
    ? ((body.shift as boolean | null | undefined) ?? undefined)
    : undefined;
  const wanted = wantedRunner(model, requested, state, shift);
  const call = beginCall(state, exchange, keepAlive);
  const lease = await state.scheduler.acquire(model, wanted, call);
  try {
    if (endpoint.preload) {
      return exchange.json(200, emptyReply(endpoint.endpoint, name, state.clock.now(), "load"));
    }
    expectFormat(body.format);
    await answer(state, exchange, {
      endpoint: endpoint.endpoint,
      name,
      body,
      model,
      options: mergeOptions(model, requested),
      ...endpoint.contents(model),
      tools: endpoint.tools,
      think,
      truncate: !state.generation.knowsTruncate || body.truncate !== false,
      shift: shift ?? true,
      slot: lease.slot,
      loaded: lease.loaded,
      stopwatch: call.stopwatch,
      loadNanoseconds: nanoseconds(call.stopwatch.elapsedMs),
    });
  } finally {
    lease.release();
  }
}

function expectMessages(messages: readonly unknown[]): void {
  for (const message of messages) {
    if (typeof message !== "object" || message === null) {
      throw wrongType(message, "ChatRequest.messages", "api.Alias");
    }
    const { content } = message as { readonly content?: unknown };
    if (content !== undefined && content !== null && typeof content !== "string") {
      throw wrongType(content, "ChatRequest.messages.content", "string");
    }
  }
}

/** Ollama looks at the format only when it asks the engine. */
function expectFormat(format: unknown): void {
  if (!format || format === "json" || (typeof format === "object" && !Array.isArray(format))) return;
  const found = JSON.stringify(JSON.stringify(format));
  throw new Refusal(500, `invalid format: ${found}; expected "json" or a valid JSON Schema object`);
}

/** Models that think do so unless told not to; others refuse. */
function thinking(model: ServedModel, body: Body): boolean | undefined {
  const wanted = body.think !== undefined && body.think !== null && body.think !== false;
  if (model.capabilities.includes("thinking"))
    return body.think === undefined || body.think === null ? true : wanted;
  if (wanted) throw new Refusal(400, `${JSON.stringify(body.model)} does not support thinking`);
  return undefined;
}
