/** `demo`: the same calls through `ChatOllama` and through `OptimizedChatOllama`, and what they cost. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ChatOllama } from "@langchain/ollama";
import { OptimizedChatOllama } from "../chatModel/optimizedChatOllama.js";
import { OptimizerError } from "../errors.js";
import type { Surroundings } from "./command.js";
import { demoServer, smallestBytes } from "./demoServer.js";
import { type MeasuredRun, measuredRun } from "./measuredRun.js";
import { type PromptSizes, promptSizes } from "./promptSizes.js";
import { count, megabytes, progress, seconds, table } from "./terminal.js";
import { type Message, prose, seededRandom, workload } from "./workload.js";

export const DEMO_USAGE = `demo [--short] [--model NAME] [--embedded]

Sends a mixed workload through ChatOllama and then through OptimizedChatOllama, each from an unloaded start, and
prints what it cost. Uses the Ollama at OLLAMA_HOST (default 127.0.0.1:11434) when it has a model.

  --short        about 20 calls instead of 60
  --model NAME   this model of that Ollama, rather than its smallest
  --embedded     a small real engine in this process, even when there is an Ollama

Examples:
  langchain-ollama-optimizer demo
  langchain-ollama-optimizer demo --short --model qwen3:4b
  OLLAMA_HOST=gpu-box:11434 langchain-ollama-optimizer demo
`;

const SEED = 1;
/** Enough for a reply to be one; what is compared happens before it. */
const REPLY_TOKENS = 16;

/**
 * Runs the demo. Reports errors of its own and of the server by `err`, with a remedy, and rejects with nothing.
 *
 * @returns the exit code: 0, 1 after an error, 130 when it was stopped
 * @example process.exitCode = await demo(["--short"], { environment: process.env, out: process.stdout, err: process.stderr, signal });
 */
export async function demo(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { out, err, signal } = surroundings;
  try {
    const options = readArguments(args);
    if (options.help) out.write(DEMO_USAGE);
    else await compare(options, surroundings);
    return 0;
  } catch (error) {
    if (signal.aborted) {
      err.write("\nStopped.\n");
      return 130;
    }
    const { code, message } = typed(error);
    err.write(`\n${code}: ${message}\n`);
    return 1;
  }
}

interface DemoOptions {
  readonly short?: boolean;
  readonly model?: string;
  readonly embedded?: boolean;
  readonly help?: boolean;
}

function readArguments(args: readonly string[]): DemoOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        short: { type: "boolean" },
        model: { type: "string" },
        embedded: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
    return values;
  } catch (cause) {
    throw new OptimizerError({
      code: "ARGUMENT_INVALID",
      message: (cause as Error).message,
      remedy: "--help lists what there is.",
      cause,
    });
  }
}

async function compare(options: DemoOptions, { environment, out, signal }: Surroundings): Promise<void> {
  const { model, embedded = false } = options;
  const server = await demoServer({ host: environment.OLLAMA_HOST, model, embedded }, out, signal);
  const folder = mkdtempSync(join(tmpdir(), "optimizer-demo-"));
  const fields = {
    model: server.model,
    baseUrl: server.address.origin,
    numPredict: REPLY_TOKENS,
    think: false,
  };
  const plain = new ChatOllama({ ...fields, maxRetries: 0 });
  const optimized = new OptimizedChatOllama({ ...fields, store: folder, maxRetries: 0 });
  try {
    const prompts = await promptsFor(optimized, options.short ? 20 : 60);
    const size = prompts.length;
    const weightBytes = await smallestBytes(server, signal);
    const before = await measuredRun(
      plain,
      prompts,
      server,
      signal,
      progress(out, "ChatOllama         ", size),
    );
    const after = await measuredRun(
      optimized,
      prompts,
      server,
      signal,
      progress(out, "OptimizedChatOllama", size),
    );
    const truth = await promptSizes(server, prompts, [before, after], signal);
    out.write(report(before, after, truth, weightBytes, folder));
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  } finally {
    await optimized.store.close();
    await server.close();
  }
}

/** Models split words into more or fewer tokens; the prompts shall pass the default window on all of them. */
async function promptsFor(model: OptimizedChatOllama, calls: number): Promise<Message[][]> {
  const words = 500;
  const tokens = await model.getNumTokens(prose(words, seededRandom(SEED)));
  return workload({ calls, seed: SEED, tokensPerWord: tokens / words });
}

function report(
  before: MeasuredRun,
  after: MeasuredRun,
  truth: PromptSizes,
  weightBytes: number,
  folder: string,
): string {
  const row = (name: string, cell: (run: MeasuredRun) => string): string[] => [
    name,
    cell(before),
    cell(after),
  ];
  const cuts = (run: MeasuredRun): number =>
    run.promptCounts.filter((read, index) => read !== null && read < truth.tokens[index]!).length;
  const calls = truth.tokens.length;
  const figures = table([
    [`${calls} calls`, "ChatOllama", "OptimizedChatOllama"],
    row("answers to a cut prompt", (run) => count(cuts(run))),
    row("calls refused", ({ refused, retried }) =>
      retried > 0 ? `${refused} (${retried} answered on retry)` : count(refused),
    ),
    row("loads, the first included", (run) => count(run.loads)),
    row("total time", (run) => seconds(run.totalMs)),
    row("time in loads", (run) => seconds(run.loadMs)),
    row("prompt tokens read", (run) => count(run.promptTokens)),
    row("of them from the cache", (run) =>
      run.cachedTokens === null ? "not told" : count(run.cachedTokens),
    ),
    row("memory beyond the weights", (run) => megabytes(run.largestBytes - weightBytes)),
    row("final window", (run) => (run.finalNumCtx === null ? "not told" : count(run.finalNumCtx))),
  ]);
  const total = truth.tokens.reduce((sum, tokens) => sum + tokens, 0);
  const how = truth.areExact
    ? "by the model's own tokenizer"
    : "or more: the most that the server read of each";
  return `
${figures}

The prompts have ${count(total)} tokens, ${how}.
A prompt was cut where the server's prompt_eval_count is below its tokens; what is cut is not read, which saves time.
Memory is the largest size in /api/ps, less that with a window of 256.

The last decision: ${after.decision?.reason ?? "none, since the last call was refused."}
The store: ${folder}
  v1/profiles.json holds what was learned of the server and the model, v1/requests/ one line for each call.
`;
}

function typed(error: unknown): OptimizerError {
  if (OptimizerError.isInstance(error)) return error;
  return new OptimizerError({
    code: "DEMO_FAILED",
    message: error instanceof Error ? error.message : String(error),
    remedy: "See whether the Ollama server is still up, then run it again.",
    cause: error,
  });
}
