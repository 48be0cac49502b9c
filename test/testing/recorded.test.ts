/** Replays every recorded request of real Ollama servers against the scripted server set up alike. */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OllamaServer, scriptedEngine, startOllamaServer } from "../../src/testing/index.js";

interface Recorded {
  readonly request: { readonly method: string; readonly path: string; readonly body: unknown };
  readonly response: { readonly status: number; readonly contentType: string; readonly body: string };
}

/** The order in which they were recorded: reloads depend on what came before. */
const order = [
  "version tags show show-unknown chat-stream chat-nonstream chat-reload-num-ctx chat-warm-same-num-ctx",
  "chat-reload-num-batch chat-cut-silently chat-context-error chat-context-error-nonstream chat-num-ctx-zero",
  "chat-num-ctx-null chat-num-ctx-above-trained ps chat-unknown-model chat-invalid-json chat-bad-keep-alive",
  "chat-num-ctx-wrong-type chat-tools-unsupported chat-preload chat-format-json-schema chat-unload generate-stream",
  "generate-nonstream generate-context-error embed",
  "smollm2-format-schema smollm2-tool-call smollm2-tool-call-stream smollm2-debug-render",
]
  .join(" ")
  .split(" ");

const folder = new URL("../fixtures/recorded/", import.meta.url);

for (const version of ["0.34.0", "0.24.0"]) {
  describe(`replies recorded from Ollama ${version}`, () => {
    let server: OllamaServer;

    beforeAll(async () => {
      server = await startOllamaServer({
        version,
        reportedVersion: "0.0.0",
        models: [
          {
            name: "tiny",
            trainedNumCtx: 8192,
            capabilities: ["completion"],
            parameters: { stop: ["<|im_start|>", "<|im_end|>"] },
          },
          { name: "smollm2", trainedNumCtx: 8192, capabilities: ["completion"] },
          { name: "smol-tools", trainedNumCtx: 8192, capabilities: ["completion", "tools"] },
        ],
        engine: scriptedEngine({
          reply: ({ tools, format }) =>
            tools.length > 0
              ? { toolCalls: [{ name: "weather", arguments: { city: "Paris" } }] }
              : format
                ? {}
                : { content: "the of and to in is it you that he" },
        }),
      });
      await send({ model: "tiny", messages: [{ role: "user", content: "warm up" }] });
      // The recording of this call found its own prompt in the cache.
      await send(recording(version, "smollm2-tool-call").request.body);
      await send({ model: "smollm2", messages: [{ role: "user", content: "warm up" }] });
    });
    afterAll(() => server.close());

    const send = (body: unknown, path = "/api/chat", method = "POST"): Promise<Response> =>
      fetch(server.origin + path, {
        method,
        body: method === "GET" ? undefined : typeof body === "string" ? body : JSON.stringify(body),
      });

    it("covers all recordings", () => {
      const recorded = readdirSync(new URL(`${version}/`, folder)).map((name) => name.replace(".json", ""));
      expect([...order].sort()).toEqual(recorded.sort());
    });

    for (const name of order) {
      it(`${name}: same status, content type, shape, counts and reload`, async () => {
        const { request, response } = recording(version, name);
        const real = lines(response.body);
        const reply = await send(inFull(request.body), request.path, request.method);
        const own = lines(await reply.text());

        expect(reply.status).toBe(response.status);
        expect(reply.headers.get("content-type")).toBe(response.contentType);
        expect(shape(own[0])).toEqual(shape(real[0]));
        expect(shape(own.at(-1))).toEqual(shape(real.at(-1)));
        expect(facts(own.at(-1))).toEqual(facts(real.at(-1)));
      });
    }
  });
}

function recording(version: string, name: string): Recorded {
  return JSON.parse(readFileSync(new URL(`${version}/${name}.json`, folder), "utf8")) as Recorded;
}

/** Long prompts are shortened in the recordings. */
function inFull(body: unknown): unknown {
  const words = (count: number): string => Array.from({ length: count }, () => "the").join(" ");
  return JSON.parse(
    JSON.stringify(body ?? null).replace(/[^"]*\.\.\. \((\d+) words\)/, (_, count) => words(Number(count))),
  );
}

function lines(body: string): unknown[] {
  return body
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** Names and types of all fields; lists by their first element. */
function shape(value: unknown, key = ""): unknown {
  if (key === "tensors" || key === "model_info" || key === "modelfile") return "any";
  if (key === "arguments" || key === "error" || key === "families") return typeof value;
  if (Array.isArray(value)) return value.length > 0 ? [shape(value[0])] : [];
  if (typeof value !== "object" || value === null) return typeof value;
  const entries = Object.entries(value).filter(([name]) => name !== "tensors");
  return Object.fromEntries(entries.map(([name, inner]) => [name, shape(inner, name)]));
}

/** What does not depend on the model's words. */
function facts(record: unknown): Record<string, unknown> {
  const reply = record as Record<string, unknown>;
  const error = typeof reply.error === "string" ? reply.error : undefined;
  const nested = error?.startsWith("{")
    ? (JSON.parse(error) as { error: Record<string, unknown> }).error
    : undefined;
  const evaluated = reply.prompt_eval_count as number | undefined;
  const cached = reply.prompt_eval_cached_count as number | undefined;
  return {
    done: reply.done,
    doneReason: reply.done_reason,
    // Loads took 250 ms and more, calls on a loaded model at most 50.
    reloaded: reply.load_duration === undefined ? undefined : (reply.load_duration as number) > 100e6,
    // Only a cut prompt's count is independent of the tokenizer; 3, 4, 515 and 1,024 are.
    cutTo: evaluated !== undefined && [3, 4, 515, 1024].includes(evaluated) ? evaluated : undefined,
    allButOneCached: (cached !== undefined && cached + 1 === evaluated) || undefined,
    error: nested ? { ...nested, message: undefined, n_prompt_tokens: undefined } : error,
    loaded: Array.isArray(reply.models)
      ? (reply.models[0] as Record<string, unknown>).context_length
      : undefined,
  };
}
