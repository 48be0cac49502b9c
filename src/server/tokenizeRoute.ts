/** `POST /optimization/tokenize`: tokens of a text or a chat as the model itself counts them. Ollama has no such route. */
import { show } from "../backend/ollama.js";
import type { WireRequest } from "../backend/wire.js";
import { generatingCall, requestOf } from "./ollamaCall.js";
import type { ServerContext } from "./options.js";
import { refused } from "./query.js";

const FIELDS: ReadonlySet<string> = new Set(["model", "text", "messages", "tools"]);

/**
 * Of a text also the ids, where the tokenizer can be rebuilt; without one the count is an upper bound or an estimate
 * on the safe side, and `exact` false.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @throws UpstreamError `MODEL_NOT_FOUND`, and what else keeps Ollama from telling about the model
 */
export async function tokenize(context: ServerContext, bytes: Uint8Array): Promise<Response> {
  const { text, ...request } = read(bytes);
  const { engine, origin } = context;
  const { model } = request;
  if (!engine.modelFacts(origin, model) && !(await engine.learnModel(context, model))) {
    // Says why it does not tell.
    await show(context, model);
  }
  if (text !== null) {
    const ids = await engine.tokenIds(context, model, text);
    if (ids) {
      return Response.json({ model, count: ids.length, exact: true, source: "exact", ids: [...ids] });
    }
  }
  const body = text === null ? request : { model, prompt: text, raw: true };
  const { tokens, source } = await engine.countTokens({ ...context, body });
  return Response.json({ model, count: tokens, exact: source === "exact", source });
}

function read(bytes: Uint8Array): WireRequest & { readonly text: string | null } {
  const asked = requestOf(bytes);
  if (!asked) throw refused("body", 'JSON with "model" and "text" or "messages"');
  const unknown = Object.keys(asked).find((name) => !FIELDS.has(name));
  if (unknown !== undefined) throw refused("body", `no other fields than ${[...FIELDS].join(", ")}`);
  const { text, ...rest } = asked;
  if ((text === undefined) === (rest.messages === undefined)) {
    throw refused("body", 'either "text" or "messages"');
  }
  if (text !== undefined && (typeof text !== "string" || rest.tools !== undefined)) {
    throw refused("text", 'a string, and "tools" only with "messages"');
  }
  const call = generatingCall(rest);
  if (!call || (text === undefined && !call.messages?.length))
    throw refused("messages", "a list of one message or more");
  return { ...call, text: text ?? null };
}
