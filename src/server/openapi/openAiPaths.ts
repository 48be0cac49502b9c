/** OpenAI's routes. Their fields are those of OpenAI's reference, which tells more of them. */
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

const jsonOrEvents = (schema: Schema) => ({ ...json(schema), "text/event-stream": reference("Event") });
const openAi = (parts: Omit<OperationParts, "tag" | "error">) =>
  operation({ tag: "openai", error: reference("OpenAiError"), failures: [404, 502, 503], ...parts });

const model = { model: reference("ModelName") };
const between = (minimum: number, maximum: number): Schema => orNull({ type: "number", minimum, maximum });
const atLeastOne = orNull({ type: "integer", minimum: 1 });
const texts = { anyOf: [text, listOf(text), { type: "null" }] };
const sampling: Readonly<Record<string, Schema>> = {
  stream: orNull(yesOrNo),
  stream_options: orNull(open({}, { include_usage: orNull(yesOrNo) })),
  temperature: between(0, 2),
  top_p: between(0, 1),
  seed: orNull(integer),
  frequency_penalty: between(-2, 2),
  presence_penalty: between(-2, 2),
  stop: texts,
};
const usage = open({ prompt_tokens: count, total_tokens: count }, { completion_tokens: count });
const completion = { id: text, object: text, created: count, model: text, choices: listOf(anyObject), usage };
const oneModel = open({ id: text, object: text, created: count, owned_by: text });

export const OPENAI_PATHS: Paths = {
  "/v1/chat/completions": {
    post: openAi({
      id: "createChatCompletion",
      summary: "A chat completion, with the window decided",
      body: open(
        { ...model, messages: listOf(anyObject, { minItems: 1 }) },
        {
          ...sampling,
          max_tokens: atLeastOne,
          max_completion_tokens: atLeastOne,
          tools: orNull(listOf(anyObject)),
          tool_choice: anything,
          response_format: orNull(anyObject),
          reasoning_effort: anything,
          logprobs: orNull(yesOrNo),
          top_logprobs: orNull({ type: "integer", minimum: 0, maximum: 20 }),
        },
      ),
      answer: jsonOrEvents(open(completion)),
    }),
  },
  "/v1/completions": {
    post: openAi({
      id: "createCompletion",
      summary: "A completion of one prompt",
      body: open(
        { ...model, prompt: { type: "string", minLength: 1 } },
        { ...sampling, max_tokens: atLeastOne, suffix: orNull(text) },
      ),
      answer: jsonOrEvents(open(completion)),
    }),
  },
  "/v1/embeddings": {
    post: openAi({
      id: "createEmbedding",
      summary: "Embeddings, never of a text that was cut",
      body: open(
        {
          ...model,
          input: {
            anyOf: [
              { type: "string", minLength: 1 },
              listOf({ type: "string", minLength: 1 }, { minItems: 1 }),
            ],
          },
        },
        { encoding_format: orNull({ type: "string", enum: ["float", "base64"] }), dimensions: atLeastOne },
      ),
      answer: json(open({ object: text, data: listOf(anyObject), model: text, usage })),
    }),
  },
  "/v1/responses": {
    post: openAi({
      id: "createResponse",
      summary: "A response; nothing of it is stored",
      body: open(
        { ...model, input: anything },
        {
          stream: orNull(yesOrNo),
          instructions: orNull(text),
          temperature: between(0, 2),
          top_p: between(0, 1),
          max_output_tokens: atLeastOne,
          tools: orNull(listOf(anyObject)),
          reasoning: orNull(anyObject),
          text: orNull(anyObject),
        },
      ),
      answer: jsonOrEvents(
        open(
          { id: text, object: text, status: text, model: text, output: listOf(anyObject) },
          { usage: orNull(open({ input_tokens: count, output_tokens: count, total_tokens: number })) },
        ),
      ),
    }),
  },
  "/v1/responses/input_tokens": {
    post: openAi({
      id: "countResponseTokens",
      summary: "Tokens that a response's input would have",
      body: open(
        { ...model, input: anything },
        { instructions: orNull(text), tools: orNull(listOf(anyObject)) },
      ),
      answer: json(open({ object: text, input_tokens: count })),
    }),
  },
  "/v1/models": {
    get: openAi({
      id: "listModels",
      summary: "Installed models",
      answer: json(open({ object: text, data: listOf(oneModel) })),
      failures: [502],
    }),
  },
  "/v1/models/{id}": {
    get: openAi({
      id: "retrieveModel",
      summary: "One of them",
      path: { id: reference("ModelName") },
      answer: json(oneModel),
    }),
  },
};

export const OPENAI_SCHEMAS: Readonly<Record<string, Schema>> = {
  OpenAiError: open({
    error: open({ message: text, type: text }, { param: orNull(text), code: orNull(text) }),
  }),
};
