/** Exact prompt tokens, apart from the strategies: the model's own tokenizer over the rendered chat. */
import { ChatLayout, TokenizerPool } from "../../src/tokens/index.js";
import type { WorkloadMessage } from "../workload.js";
import { post } from "./servers.js";

export interface ExactCounter {
  count(messages: readonly WorkloadMessage[]): Promise<number>;
  /** Of English prose with this model. */
  readonly tokensPerWord: number;
  close(): Promise<void>;
}

/** Learns a model's tokenizer and chat template from a server; loads the model there. */
export async function exactCounter(origin: string, model: string, sample: string): Promise<ExactCounter> {
  const pool = new TokenizerPool({ folder: null });
  const layout = new ChatLayout();
  const options = { num_ctx: 256, num_predict: 1 };
  await pool.load(model, async () => [
    new Uint8Array(await (await post(origin, "/api/show", { model, verbose: true })).arrayBuffer()),
  ]);
  const render = async (messages: readonly object[]): Promise<string | null> => {
    const body = { model, messages, stream: false, options, _debug_render_only: true };
    const reply = (await (await post(origin, "/api/chat", body)).json()) as {
      _debug_info?: { rendered_template?: string };
    };
    return reply._debug_info?.rendered_template ?? null;
  };
  let constant = 0;
  const count = async (messages: readonly WorkloadMessage[]): Promise<number> => {
    await layout.learn(messages, {}, render);
    const rendered = layout.render(messages, {});
    if (rendered === null) throw new Error(`the chat template of ${model} cannot be learned`);
    return constant + (await pool.count(model, rendered));
  };
  const hello: readonly WorkloadMessage[] = [{ role: "user", content: "Hello" }];
  const counted = await count(hello);
  const body = { model, messages: hello, stream: false, options };
  const reply = (await (await post(origin, "/api/chat", body)).json()) as { prompt_eval_count: number };
  constant = reply.prompt_eval_count - counted;
  const tokensPerWord = (await pool.count(model, sample)) / sample.split(" ").length;
  return { count, tokensPerWord, close: () => pool.close() };
}
