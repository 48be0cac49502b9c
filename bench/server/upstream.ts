/**
 * A scripted Ollama in a process of its own that answers at once and does as little as it can, so that little of its
 * work is on the clock of what is measured.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { showReply } from "../offline/tokens.js";

/** Tells no vocabulary. */
export const PLAIN = "plain";
/** Two models with a tokenizer of 100,258 tokens each. */
export const WITH_TOKENIZER = ["left", "right"] as const;
/** Its pieces come one by one, and each says when it was written. */
export const PACED = "paced";
/** Milliseconds between them. */
const PACE_MS = 4;
export const PACED_PIECES = 64;
const PIECES = 16;

export interface Upstream {
  readonly origin: string;
  stop(): void;
}

export async function startUpstream(): Promise<Upstream> {
  const child = fork(fileURLToPath(import.meta.url), ["serve"]);
  const [origin] = (await once(child, "message")) as [string];
  return { origin, stop: () => child.kill() };
}

/** Nanoseconds of a clock that all processes of this machine share. */
export const sharedClock = (): bigint => process.hrtime.bigint();

interface Asked {
  readonly model: string;
  readonly stream?: boolean;
  readonly verbose?: boolean;
  readonly options?: { readonly num_ctx?: number };
}

const NAMES = [PLAIN, PACED, ...WITH_TOKENIZER];
const AT = "2026-01-01T00:00:00.000000000Z";
const digestOf = (name: string): string => Buffer.from(name).toString("hex").padEnd(64, "0");
const loaded = new Map<string, number>();
let vocabulary: Uint8Array[] | null = null;

function listed(name: string) {
  return {
    name: `${name}:latest`,
    model: `${name}:latest`,
    modified_at: AT,
    size: 1e8,
    digest: digestOf(name),
  };
}

function listings(path: string): unknown {
  if (path === "/api/version") return { version: "0.34.0" };
  if (path === "/api/tags") return { models: NAMES.map(listed) };
  const models = [...loaded].map(([name, context_length]) => ({
    ...listed(name),
    size_vram: 0,
    expires_at: "2100-01-01T00:00:00Z",
    context_length,
  }));
  return { models };
}

function show({ model, verbose }: Asked, reply: ServerResponse): void {
  if (verbose && (WITH_TOKENIZER as readonly string[]).includes(nameOf(model))) {
    vocabulary ??= showReply();
    for (const part of vocabulary) reply.write(part);
    reply.end();
    return;
  }
  const modelfile = `FROM /blobs/sha256-${digestOf(nameOf(model))}\n`;
  const model_info = { "general.architecture": "llama", "llama.context_length": 32_768 };
  reply.end(JSON.stringify({ modelfile, template: "", model_info, capabilities: ["completion"] }));
}

const nameOf = (model: string): string => model.replace(/:latest$/, "");

function chat(asked: Asked, reply: ServerResponse): void {
  const model = asked.model;
  loaded.set(nameOf(model), asked.options?.num_ctx ?? 4_096);
  const line = (content: string): string =>
    `${JSON.stringify({ model, created_at: AT, message: { role: "assistant", content }, done: false })}\n`;
  const end = (content: string): string =>
    `${JSON.stringify({
      model,
      created_at: AT,
      message: { role: "assistant", content },
      done: true,
      done_reason: "stop",
      total_duration: 2e6,
      load_duration: 1e6,
      prompt_eval_count: 20,
      prompt_eval_duration: 1e6,
      eval_count: PIECES,
      eval_duration: 1e6,
    })}\n`;
  if (asked.stream === false) {
    reply.end(end("word ".repeat(PIECES)));
    return;
  }
  reply.writeHead(200, { "content-type": "application/x-ndjson" });
  write(nameOf(model) === PACED, reply, line, end(""));
}

function completion({ model, stream }: Asked, reply: ServerResponse): void {
  const head = { id: "chatcmpl-1", created: 1, model };
  if (!stream) {
    const message = { role: "assistant", content: "word ".repeat(PIECES) };
    const choices = [{ index: 0, message, finish_reason: "stop" }];
    const usage = { prompt_tokens: 20, completion_tokens: PIECES, total_tokens: 36 };
    reply.end(JSON.stringify({ ...head, object: "chat.completion", choices, usage }));
    return;
  }
  const event = (delta: object, finish_reason: string | null): string =>
    `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  reply.writeHead(200, { "content-type": "text/event-stream" });
  write(false, reply, (content) => event({ content }, null), `${event({}, "stop")}data: [DONE]\n\n`);
}

function write(isPaced: boolean, reply: ServerResponse, piece: (text: string) => string, end: string): void {
  if (!isPaced) {
    for (let written = 0; written < PIECES; written++) reply.write(piece("word "));
    reply.end(end);
    return;
  }
  let written = 0;
  const timer = setInterval(() => {
    if (written++ < PACED_PIECES) {
      reply.write(piece(`@${sharedClock()}@`));
      return;
    }
    clearInterval(timer);
    reply.end(end);
  }, PACE_MS);
  reply.on("close", () => clearInterval(timer));
}

if (process.argv[2] === "serve" && process.send) {
  const server = createServer((request, reply) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const path = request.url ?? "";
      reply.setHeader("content-type", "application/json; charset=utf-8");
      if (request.method === "GET") {
        reply.end(JSON.stringify(listings(path)));
        return;
      }
      const asked = JSON.parse(Buffer.concat(parts).toString()) as Asked;
      if (path === "/api/show") show(asked, reply);
      else if (path === "/api/chat") chat(asked, reply);
      else if (path === "/v1/chat/completions") completion(asked, reply);
      else reply.writeHead(404).end();
    });
  });
  server.keepAliveTimeout = 600_000;
  server.listen(0, "127.0.0.1", () => {
    process.send!(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  process.once("disconnect", () => process.exit());
}
