/** `/v1/responses` on Ollama's `/api/chat`. */
import { show } from "../../backend/ollama.js";
import type { WireChunk } from "../../backend/wire.js";
import { isAbort } from "../failure.js";
import type { ServerContext } from "../options.js";
import { ask } from "./ask.js";
import { errorObject } from "./failure.js";
import type { Fields } from "./fields.js";
import { asForcedCall } from "./forcedCall.js";
import { type ResponseEvent, ResponseOutput } from "./responseOutput.js";
import { responsesCall } from "./responsesRequest.js";
import { jsonAnswer, sseAnswer, sseData } from "./sse.js";

export async function responses(context: ServerContext, request: Request, fields: Fields): Promise<Response> {
  const call = await responsesCall(context, fields);
  const onOverflow = call.mayCut ? "cut" : context.onOverflow;
  const asked = await ask(context, request, "/api/chat", call.wire, onOverflow);
  const answered = call.forced ? asForcedCall(asked.chunks, call.forced) : asked.chunks;
  const output = new ResponseOutput(call.wire.model, call.echo, call.isParallel);
  if (call.stream) return sseAnswer(request, eventTexts(answered, output), asked);
  for await (const chunk of answered) for (const _ of output.add(chunk));
  return jsonAnswer(request, output.final(), asked.headers);
}

/** `/v1/responses/input_tokens`: what a response would cost, without making it. Loads no model. */
export async function inputTokens(context: ServerContext, _: Request, fields: Fields): Promise<Response> {
  const { wire } = await responsesCall(context, fields);
  const { engine, origin } = context;
  const isKnown = engine.modelFacts(origin, wire.model) ?? (await engine.learnModel(context, wire.model));
  // Says why it does not tell.
  if (!isKnown) await show(context, wire.model);
  const { tokens } = await engine.countTokens({ ...context, body: wire });
  return Response.json({ object: "response.input_tokens", input_tokens: tokens });
}

async function* eventTexts(chunks: AsyncIterable<WireChunk>, output: ResponseOutput): AsyncGenerator<string> {
  try {
    for (const event of output.begin()) yield named(event);
    for await (const chunk of chunks) for (const event of output.add(chunk)) yield named(event);
    for (const event of output.end()) yield named(event);
  } catch (error) {
    if (isAbort(error)) throw error;
    const { code, message } = errorObject(error);
    yield named(output.failed(code, message));
  }
}

/** No `[DONE]` at the end: the last event says so. */
function named(event: ResponseEvent): string {
  return `event: ${event.type}\n${sseData(event)}`;
}
