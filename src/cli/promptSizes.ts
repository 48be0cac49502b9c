/** How long prompts really are, apart from what any model under measurement believes. */
import { renderPrompt, showTokenizer } from "../backend/ollama.js";
import type { RunnerOptions } from "../records.js";
import { ChatLayout, TokenizerPool } from "../tokens/index.js";
import type { DemoServer } from "./demoServer.js";
import type { MeasuredRun } from "./measuredRun.js";
import type { Message } from "./workload.js";

export interface PromptSizes {
  /** Tokens of each prompt. */
  readonly tokens: readonly number[];
  /** Counted by the model's own tokenizer; else the larger of what the server read in the two runs. */
  readonly areExact: boolean;
}

/** A bos that the tokenizer's keys do not name; more than this is no constant. */
const MOST_BEYOND = 2;

export async function promptSizes(
  server: DemoServer,
  prompts: readonly (readonly Message[])[],
  runs: readonly MeasuredRun[],
  signal: AbortSignal,
): Promise<PromptSizes> {
  const read = prompts.map((_, index) => Math.max(...runs.map((run) => run.promptCounts[index] ?? 0)));
  // The window that is loaded now: another one would load the model anew.
  const numCtx = runs.at(-1)?.finalNumCtx;
  const options = numCtx ? { num_ctx: numCtx } : {};
  const counted = await ownCounts(server, prompts, options, signal).catch(() => null);
  signal.throwIfAborted();
  if (!counted) return { tokens: read, areExact: false };
  // The shortest prompt was cut by nobody: what the server read beyond its tokens, it reads beyond all.
  const shortest = counted.indexOf(Math.min(...counted));
  const beyond = read[shortest]! - counted[shortest]!;
  if (Math.abs(beyond) > MOST_BEYOND) return { tokens: read, areExact: false };
  return { tokens: counted.map((tokens) => tokens + beyond), areExact: true };
}

/**
 * Tokens of the rendered chats.
 *
 * @returns null when the chat template cannot be learned
 * @throws OptimizerError `TOKENIZER_UNSUPPORTED`
 */
async function ownCounts(
  { address, model }: DemoServer,
  prompts: readonly (readonly Message[])[],
  options: RunnerOptions,
  signal: AbortSignal,
): Promise<number[] | null> {
  const pool = new TokenizerPool({ folder: null });
  const layout = new ChatLayout();
  const shape = { think: false };
  try {
    await pool.load(model, () => showTokenizer(address, model, signal));
    const counts: number[] = [];
    for (const messages of prompts) {
      await layout.learn(messages, shape, (probe, _tools, think) =>
        renderPrompt(address, { model, messages: probe, think }, options, signal),
      );
      const rendered = layout.render(messages, shape);
      if (rendered === null) return null;
      counts.push(await pool.count(model, rendered));
    }
    return counts;
  } finally {
    await pool.close();
  }
}
