/** `/api/embed`. It reloads like any other call when its options differ, even where it ends in a 501. */
import { mergeOptions, wantedRunner } from "./callOptions.js";
import { beginCall, handOver, nanoseconds, requestedOptions } from "./calls.js";
import { EngineFailure } from "./engine.js";
import type { Exchange } from "./exchange.js";
import { expectFields, keepAliveMs, parseBody, Refusal } from "./goJson.js";
import { findModel, type ServerState } from "./serverState.js";

export async function embed(state: ServerState, exchange: Exchange): Promise<void> {
  const body = parseBody(exchange.text);
  expectFields(body, "EmbedRequest", { model: "string", truncate: "boolean", options: "options" });
  const keepAlive = keepAliveMs(body.keep_alive);
  const texts = inputs(body.input);
  const name = (body.model as string | null | undefined) ?? "";
  const missing =
    name === "" ? "model '' not found" : `model ${JSON.stringify(name)} not found, try pulling it first`;
  const model = findModel(state, name, missing);
  const options = requestedOptions(body);
  const call = beginCall(state, exchange, keepAlive);
  const lease = await state.scheduler.acquire(model, wantedRunner(model, options, state, undefined), call);
  try {
    const loadMs = call.stopwatch.elapsedMs;
    if (texts.length === 0) return exchange.json(200, { model: body.model, embeddings: [] });
    if (state.generation.embeddingNeedsPooling && !model.capabilities.includes("embedding")) {
      throw new Refusal(501, "This server does not support embeddings. Start it with `--embeddings`");
    }
    const window = Math.min(
      (mergeOptions(model, options).num_ctx as number) || lease.slot.numCtx,
      lease.slot.numCtx,
    );
    const tokens = texts.map((text) => model.tokenizer.encodePrompt(text));
    if (body.truncate === false && tokens.some((list) => list.length > window)) {
      throw new Refusal(400, "the input length exceeds the context length");
    }
    const cut = tokens.map((list) => list.slice(0, window));
    const count = cut.reduce((sum, list) => sum + list.length, 0);
    const rate = model.promptTokensPerSecond(lease.slot.numBatch);
    const embeddings = await handOver(lease.slot, () => lease.slot.runner.embed(cut));
    if (!state.engine.measures) await call.stopwatch.work((count / rate) * 1000, exchange.signal);
    const dimensions =
      typeof body.dimensions === "number" && body.dimensions > 0 ? body.dimensions : undefined;
    exchange.json(200, {
      model: body.model,
      embeddings: embeddings.map((vector) => normalized(vector.slice(0, dimensions))),
      total_duration: nanoseconds(call.stopwatch.elapsedMs),
      load_duration: nanoseconds(loadMs),
      prompt_eval_count: count,
    });
  } catch (error) {
    if (error instanceof EngineFailure) throw new Refusal(error.status, error.message);
    throw error;
  } finally {
    lease.release();
  }
}

function inputs(input: unknown): readonly string[] {
  if (input === undefined || input === null || input === "") return [];
  const list = Array.isArray(input) ? input : [input];
  if (list.some((text) => typeof text !== "string")) throw new Refusal(400, "invalid input type");
  return list as string[];
}

function normalized(vector: readonly number[]): number[] {
  const norm = Math.hypot(...vector) || 1;
  return vector.map((value) => Math.fround(value / norm));
}
