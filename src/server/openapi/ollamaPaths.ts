/** Ollama's routes that are open without --allow-admin. What is not told of here is sent on and answered by Ollama. */
import { json, type OperationParts, operation, type Paths } from "./operation.js";
import {
  anyObject,
  anything,
  count,
  integer,
  listOf,
  number,
  open,
  orNull,
  reference,
  type Schema,
  text,
  yesOrNo,
} from "./schema.js";

/** Every status that Ollama has for a call. */
const UPSTREAM = [404, 501, 502, 503];
const lines = (schema: Schema) => ({ "application/x-ndjson": schema, ...json(schema) });
const header = (description: string, schema: Schema) => ({ description, schema });
const DECISION_HEADERS = {
  "x-optimizer-num-ctx": header("The window that was sent", integer),
  "x-optimizer-action": header("What was done about the window", text),
  "x-optimizer-template": header("The recurring prompt shape", text),
  "x-optimizer-cache": header("Whether the reply came from the cache: hit or miss", text),
  "x-optimizer-cache-key": header("Of the reply in the cache", text),
};

const ollama = (parts: Omit<OperationParts, "tag" | "error">) =>
  operation({ tag: "ollama", error: reference("Error"), failures: UPSTREAM, ...parts });
const reading = (id: string, summary: string, answer: Schema) =>
  ollama({ id, summary, answer: json(answer), failures: [502] });

const everyCall: Readonly<Record<string, Schema>> = {
  stream: orNull(yesOrNo),
  format: anything,
  think: anything,
  keep_alive: { type: ["string", "number", "null"] },
  options: orNull(anyObject),
};
const figures: Readonly<Record<string, Schema>> = {
  done: yesOrNo,
  done_reason: text,
  total_duration: count,
  load_duration: count,
  prompt_eval_count: count,
  prompt_eval_duration: count,
  eval_count: count,
  eval_duration: count,
};
const model = { model: reference("ModelName") };
const texts = { anyOf: [text, listOf(text)] };

export const OLLAMA_PATHS: Paths = {
  "/api/chat": {
    post: ollama({
      id: "chat",
      summary: "A chat, with the window decided",
      body: open(model, {
        messages: orNull(listOf(reference("Message"))),
        tools: orNull(listOf(anyObject)),
        ...everyCall,
      }),
      answer: lines(open({}, { ...model, message: reference("Message"), ...figures })),
      answerHeaders: DECISION_HEADERS,
    }),
  },
  "/api/generate": {
    post: ollama({
      id: "generate",
      summary: "A reply to one prompt, with the window decided",
      body: open(model, {
        prompt: orNull(text),
        system: orNull(text),
        suffix: orNull(text),
        raw: orNull(yesOrNo),
        images: orNull(listOf(text)),
        ...everyCall,
      }),
      answer: lines(open({}, { ...model, response: text, ...figures })),
      answerHeaders: DECISION_HEADERS,
    }),
  },
  "/api/embed": {
    post: ollama({
      id: "embed",
      summary: "Embeddings, without reloading a loaded model",
      body: open(
        { ...model, input: texts },
        { truncate: orNull(yesOrNo), dimensions: orNull(integer), options: orNull(anyObject) },
      ),
      answer: json(open({ embeddings: listOf(listOf(number)) })),
    }),
  },
  "/api/embeddings": {
    post: ollama({
      id: "embeddings",
      summary: "One embedding, by Ollama's older route",
      body: open({ ...model, prompt: text }, { options: orNull(anyObject) }),
      answer: json(open({ embedding: listOf(number) })),
    }),
  },
  "/api/show": {
    post: ollama({
      id: "show",
      summary: "What a model is",
      body: open(model, { verbose: orNull(yesOrNo) }),
      answer: json(anyObject),
    }),
  },
  "/api/tags": { get: reading("tags", "Installed models", open({ models: orNull(listOf(anyObject)) })) },
  "/api/ps": { get: reading("ps", "Loaded models", open({ models: orNull(listOf(anyObject)) })) },
  "/api/version": { get: reading("version", "Ollama's version", open({ version: text })) },
};

export const OLLAMA_SCHEMAS: Readonly<Record<string, Schema>> = {
  Event: { ...open({ data: text }), description: "Of a stream of them: JSON, or [DONE]" },
  Error: { ...open({ error: text }), additionalProperties: true },
  ModelName: {
    type: "string",
    minLength: 1,
    description: "As Ollama lists it, the tag `latest` may be left out",
  },
  Message: open(
    { role: text },
    {
      content: orNull(text),
      thinking: orNull(text),
      images: orNull(listOf(text)),
      tool_calls: orNull(listOf(open({ function: open({ name: text }, { arguments: orNull(anyObject) }) }))),
      tool_name: orNull(text),
      tool_call_id: orNull(text),
    },
  ),
};
