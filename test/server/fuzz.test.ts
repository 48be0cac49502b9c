/**
 * Requests that no client sends on purpose, over real sockets. 5,000 of one seed; FUZZ_REQUESTS=100000 and FUZZ_SEED
 * ask for others.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { listen } from "../../src/server/index.js";
import { type RawOptions, sendRaw } from "./rawSocket.js";
import { pair, user } from "./support.js";

const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 5_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_101);
const AT_ONCE = 50;
/** Less than the patience of who sends: what never comes whole is closed. */
const STALL_MS = 5_000;

const PATHS = [
  "/api/chat",
  "/api/generate",
  "/api/embed",
  "/api/embeddings",
  "/api/show",
  "/api/tags",
  "/api/pull",
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/responses",
  "/v1/responses/input_tokens",
  "/v1/models",
  "/v1/models/tiny",
  "/optimization/tokenize",
  "/optimization/decisions",
  "/optimization/report",
  "/metrics",
  "/health",
  "/",
  "//",
  "/v1/../api/chat",
  "/%00",
  "/%E0%A4%A",
] as const;

interface Sent {
  readonly kind: string;
  readonly parts: readonly (string | Uint8Array)[];
  readonly options?: RawOptions;
}

/** Answered with 200 whatever comes beside it. */
const RIGHT = "right";

/** Fields that a route reads, with values that it may or may not take. */
const value = fc.oneof(
  { maxDepth: 3 },
  fc.constantFrom("tiny", "vectors", "absent", "", "user", "assistant", "tool", "text", "function"),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(-1, 0, 1, 3, 1e308, null, true),
);
const message = fc.record(
  { role: value, content: value, tool_calls: value, images: value, thinking: value },
  { requiredKeys: ["role", "content"] },
);
const almostRight = fc.record(
  {
    model: fc.constantFrom("tiny", "vectors", "absent", "tiny:latest", 5, null),
    messages: fc.oneof(
      fc.array(message, { maxLength: 3 }),
      fc.constant([{ role: "user", content: "hello" }]),
      value,
    ),
    prompt: value,
    input: value,
    text: value,
    stream: fc.oneof(fc.boolean(), value),
    options: fc.oneof(fc.record({ num_ctx: value, num_predict: value }, { requiredKeys: [] }), value),
    tools: value,
    tool_choice: value,
    format: value,
    response_format: value,
    max_tokens: value,
    keep_alive: value,
    logprobs: value,
  },
  { requiredKeys: ["model"] },
);
const path = fc.constantFrom(...PATHS);
const method = fc.constantFrom("POST", "POST", "POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS");
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 300 }),
  fc.string({ unit: "binary", minLength: 1, maxLength: 200 }).map((text) => Buffer.from(text)),
);
const json = fc.oneof(
  { weight: 3, arbitrary: almostRight.map((body) => Buffer.from(JSON.stringify(body))) },
  { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text)) },
);

const head = (line: string, more: readonly string[]): string =>
  `${[line, "host: localhost", ...more].join("\r\n")}\r\n\r\n`;
const whole = (verb: string, where: string, body: Uint8Array, more: readonly string[] = []): string =>
  head(`${verb} ${where} HTTP/1.1`, [`content-length: ${body.byteLength}`, ...more]);

const request: fc.Arbitrary<Sent> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("/api/chat", "/v1/chat/completions"), fc.boolean())
      .map(([where, stream]) => {
        const body = Buffer.from(JSON.stringify({ model: "tiny", messages: user("hello"), stream }));
        return { kind: RIGHT, parts: [whole("POST", where, body), body] };
      }),
  },
  {
    weight: 10,
    arbitrary: fc
      .tuple(method, path, json)
      .map(([verb, where, body]) => ({ kind: "JSON", parts: [whole(verb, where, body), body] })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(path, bytes)
      .map(([where, body]) => ({ kind: "random body", parts: [whole("POST", where, body), body] })),
  },
  { weight: 3, arbitrary: bytes.map((body) => ({ kind: "random bytes", parts: [body, "\r\n\r\n"] })) },
  {
    weight: 1,
    arbitrary: fc.tuple(path, json).map(([where, body]) => ({
      kind: "slow body",
      parts: [whole("POST", where, body), body.subarray(0, 5), body.subarray(5)],
      options: { pauseMs: 20 },
    })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(path, json, fc.boolean()).map(([where, body, isCut]) => ({
      kind: "half-closed",
      parts: [whole("POST", where, body), isCut ? body.subarray(0, body.byteLength >> 1) : body],
      options: { isHalfClosed: true },
    })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(path, json).map(([where, body]) => ({
      kind: "gone",
      parts: [whole("POST", where, body), body],
      options: { leaves: true },
    })),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(path, fc.integer({ min: 16_384, max: 40_000 })).map(([where, length]) => ({
      kind: "oversized head",
      parts: [head(`GET ${where} HTTP/1.1`, [`x-long: ${"a".repeat(length)}`])],
    })),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(path, bytes).map(([where, body]) => ({
      kind: "broken chunks",
      parts: [head(`POST ${where} HTTP/1.1`, ["transfer-encoding: chunked"]), body, "\r\n0\r\n\r\n"],
    })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(path, fc.constantFrom("5, 6", "-1", "1e3", "99999999999", ""))
      .map(([where, length]) => ({
        kind: "lying length",
        parts: [head(`POST ${where} HTTP/1.1`, [`content-length: ${length}`]), "{}"],
        options: { isHalfClosed: true },
      })),
  },
);

/** One request after the other, drawn fifty at a time. */
function sampled(seed: () => number): () => Sent {
  let drawn: Sent[] = [];
  return () => {
    if (drawn.length === 0) drawn = fc.sample(request, { seed: seed(), numRuns: 50 });
    return drawn.pop()!;
  };
}

/** Of this process: the server's, its client's, and those to Ollama, which end when they were idle for a while. */
const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;

test(`${REQUESTS} requests of any shape: each is answered or closed, nothing crashes, nothing stays open`, {
  timeout: 30_000 + 20 * REQUESTS,
}, async () => {
  await using servers = await pair({ loadMs: 1 });
  const listener = await listen(servers.app, { port: 0, stallMs: STALL_MS });
  const before = openSockets();
  const problems: string[] = [];
  const onProblem = (error: unknown): void => void problems.push(String(error));
  process.on("unhandledRejection", onProblem).on("uncaughtException", onProblem);
  const byStatus = new Map<number | "closed", number>();
  let left = REQUESTS;
  let batch = 0;
  const sending = async (next: () => Sent): Promise<void> => {
    while (left-- > 0) {
      const { kind, parts, options } = next();
      const { statuses, isClosed, text } = await sendRaw(listener.origin, parts, options);
      const status = statuses[0];
      if (status === undefined && !isClosed) problems.push(`${kind}: neither answered nor closed`);
      // What this server says itself is never its own failure.
      if (status === 500 && /internal error/.test(text)) problems.push(`${kind}: ${text.slice(-300)}`);
      byStatus.set(status ?? "closed", (byStatus.get(status ?? "closed") ?? 0) + 1);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, () => sending(sampled(() => SEED + batch++))));
    expect(problems).toEqual([]);
    // The sockets of those who left are gone with their calls.
    await expect.poll(openSockets, { timeout: 20_000 }).toBeLessThanOrEqual(before);
    await expect
      .poll(() => servers.ollama.state().reduce((sum, { users }) => sum + users, 0), { timeout: 10_000 })
      .toBe(0);
    const { running, queue } = await servers.snapshot();
    expect({ running, waiting: queue.waiting }).toEqual({ running: [], waiting: 0 });
    const reply = await fetch(`${listener.origin}/health`);
    expect(reply.status).toBe(200);
    await reply.text();
    console.log(`fuzzed: ${[...byStatus].map(([status, count]) => `${status} ${count}`).join(", ")}`);
  } finally {
    process.off("unhandledRejection", onProblem).off("uncaughtException", onProblem);
    await listener.close(1_000);
  }
});
