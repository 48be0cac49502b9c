/** `/v1/embeddings` on Ollama's `/api/embed`: never reloaded by its options, never of a text that was cut. */
import { post } from "../../backend/ollama.js";
import { contextRefusal, upstreamError } from "../../backend/refusal.js";
import { readBody } from "../../backend/transport.js";
import { UNTOLD } from "../activity.js";
import { upstreamOf } from "../bodyStream.js";
import { codeOfFailure } from "../failure.js";
import type { ServerContext } from "../options.js";
import { openAiFailure } from "./failure.js";
import { type Fields, missing } from "./fields.js";
import { invalidValue, unsupportedValue } from "./refused.js";
import { defined } from "./sampling.js";

interface Asked {
  readonly model: string;
  readonly input: readonly string[];
}

interface Embedded {
  readonly embeddings: readonly (readonly number[])[];
  readonly prompt_eval_count?: number;
}

export async function embeddings(
  context: ServerContext,
  request: Request,
  fields: Fields,
): Promise<Response> {
  const model = fields.requiredText("model");
  const isBase64 = fields.oneOf("encoding_format", ["float", "base64"] as const) === "base64";
  const body = defined({ model, input: inputOf(fields), dimensions: fields.integer("dimensions", 1) });
  const { embeddings: vectors, prompt_eval_count = 0 } = await tracked(context, request, body);
  return Response.json({
    object: "list",
    data: vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: isBase64 ? base64(vector) : vector,
    })),
    model,
    usage: { prompt_tokens: prompt_eval_count, total_tokens: prompt_eval_count },
  });
}

/** The same, seen by who looks at the calls. */
async function tracked(context: ServerContext, request: Request, body: Asked): Promise<Embedded> {
  const path = new URL(request.url).pathname;
  const call = context.activity.begin({ model: body.model, surface: "openai", path });
  try {
    const embedded = await embed(context, upstreamOf(request).signal, body);
    call.end({ ...UNTOLD, status: 200 });
    return embedded;
  } catch (error) {
    call.end({ ...UNTOLD, status: openAiFailure(error).status, errorCode: codeOfFailure(error) });
    throw error;
  }
}

/**
 * With the loaded runner's options, as leaving one out would reload it. A text that is too long for the window is
 * refused rather than cut, as OpenAI does; it is tried once more with the whole window of the model.
 */
async function embed(context: ServerContext, signal: AbortSignal, body: Asked): Promise<Embedded> {
  const { engine, origin } = context;
  const loaded = await engine.loadedOptions(context, body.model).catch(() => null);
  const first = await sent(context, signal, { ...body, options: loaded ?? {} });
  if (!loaded) engine.lookAgain(origin);
  if ("embeddings" in first) return first;

  const facts = contextRefusal(first.status, first.text) && (await engine.learnModel(context, body.model));
  const most = facts?.trainedNumCtx ?? 0;
  if (most > (facts?.loadedNumCtx ?? 0)) {
    const second = await sent(context, signal, { ...body, options: { ...loaded, num_ctx: most } });
    engine.lookAgain(origin);
    if ("embeddings" in second) return second;
    throw upstreamError(second.status, second.text, body.model);
  }
  throw upstreamError(first.status, first.text, body.model);
}

async function sent(
  context: ServerContext,
  signal: AbortSignal,
  body: Readonly<Record<string, unknown>>,
): Promise<Embedded | { readonly status: number; readonly text: string }> {
  const reply = await post(context, "/api/embed", { ...body, truncate: false }, signal);
  const text = new TextDecoder().decode(await readBody(reply));
  return reply.status < 400 ? (JSON.parse(text) as Embedded) : { status: reply.status, text };
}

function inputOf(fields: Fields): readonly string[] {
  const input = fields.get("input");
  if (input === undefined) throw missing("input");
  if (Array.isArray(input) && input.some((part) => typeof part === "number" || Array.isArray(part))) {
    throw unsupportedValue(
      "input",
      "Token ids are of OpenAI's tokenizers; send text (LangChain for Python: check_embedding_ctx_length=False).",
    );
  }
  const texts = fields.texts("input")!;
  if (texts.length === 0 || texts.includes("")) throw invalidValue("input", "it cannot be empty.");
  return texts;
}

/** 32-bit floats, little-endian as every machine that runs Node today. */
function base64(vector: readonly number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString("base64");
}
