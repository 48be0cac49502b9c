/** `demo`: the same calls through `ChatOllama` and through `OptimizedChatOllama`, and what they cost. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChatOllama } from "@langchain/ollama";
import { OptimizedChatOllama } from "../chatModel/optimizedChatOllama.js";
import { OptimizerError } from "../errors.js";
import { EXIT, type Surroundings } from "./command.js";
import { type DemoServer, demoServer, smallestBytes } from "./demoServer.js";
import { readFlags, refuseMore } from "./flags.js";
import { type MeasuredRun, measuredRun } from "./measuredRun.js";
import { type PromptSizes, promptSizes } from "./promptSizes.js";
import { count, megabytes, progress, seconds, table } from "./terminal.js";
import { type Message, prose, seededRandom, workload } from "./workload.js";

export const DEMO_USAGE = `demo [options]

Sends a mixed workload through ChatOllama and then through OptimizedChatOllama, each from an unloaded start, and
prints what it cost. Uses the Ollama at OLLAMA_HOST (default 127.0.0.1:11434) when it has a model.

  --short        about 20 calls instead of 60
  --model NAME   this model of that Ollama, rather than its smallest
  --embedded     a small real engine in this process, even when there is an Ollama
  --json         what was measured, as JSON

Examples:
  langchain-ollama-optimizer demo
  langchain-ollama-optimizer demo --short --model qwen3:4b
  OLLAMA_HOST=gpu-box:11434 langchain-ollama-optimizer demo
`;

const SEED = 1;
/** Enough for a reply to be one; what is compared happens before it. */
const REPLY_TOKENS = 16;

/**
 * Runs the demo.
 *
 * @returns the exit code 0
 * @throws OptimizerError `ARGUMENT_INVALID`, what {@link demoServer} throws, `DEMO_FAILED`; the signal's reason
 * @example process.exitCode = await demo(["--short"], { environment: process.env, out: process.stdout, err: process.stderr, signal });
 */
export async function demo(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { values, positionals } = readFlags(args, {
    short: { type: "boolean" },
    model: { type: "string" },
    embedded: { type: "boolean" },
    json: { type: "boolean" },
  });
  refuseMore(positionals, "Name a model by --model.");
  try {
    await compare(values, surroundings);
    return EXIT.ok;
  } catch (error) {
    surroundings.signal.throwIfAborted();
    throw typed(error);
  }
}

interface DemoOptions {
  readonly short?: boolean | undefined;
  readonly model?: string | undefined;
  readonly embedded?: boolean | undefined;
  readonly json?: boolean | undefined;
}

async function compare(options: DemoOptions, { environment, out, err, signal }: Surroundings): Promise<void> {
  const { model, embedded = false } = options;
  const server = await demoServer({ host: environment.OLLAMA_HOST, model, embedded }, err, signal);
  const folder = mkdtempSync(join(tmpdir(), "optimizer-demo-"));
  const fields = {
    model: server.model,
    baseUrl: server.address.origin,
    numPredict: REPLY_TOKENS,
    think: false,
  };
  const plain = new ChatOllama({ ...fields, maxRetries: 0 });
  const optimized = new OptimizedChatOllama({ ...fields, store: folder, maxRetries: 0 });
  let isOver = false;
  try {
    const prompts = await promptsFor(optimized, options.short ? 20 : 60);
    const size = prompts.length;
    const weightBytes = await smallestBytes(server, signal);
    const before = await measuredRun(
      plain,
      prompts,
      server,
      signal,
      progress(err, "ChatOllama         ", size),
    );
    const after = await measuredRun(
      optimized,
      prompts,
      server,
      signal,
      progress(err, "OptimizedChatOllama", size),
    );
    const truth = await promptSizes(server, prompts, [before, after], signal);
    const measured: Measured = { before, after, truth, weightBytes, folder };
    out.write(options.json ? asJson(measured, server) : report(measured));
    isOver = true;
  } finally {
    await optimized.store.close();
    if (!isOver) rmSync(folder, { recursive: true, force: true });
    await server.close();
  }
}

/** Models split words into more or fewer tokens; the prompts shall pass the default window on all of them. */
async function promptsFor(model: OptimizedChatOllama, calls: number): Promise<Message[][]> {
  const words = 500;
  const tokens = await model.getNumTokens(prose(words, seededRandom(SEED)));
  return workload({ calls, seed: SEED, tokensPerWord: tokens / words });
}

interface Measured {
  readonly before: MeasuredRun;
  readonly after: MeasuredRun;
  readonly truth: PromptSizes;
  readonly weightBytes: number;
  /** Of the store. */
  readonly folder: string;
}

/** Answers to a prompt of which the server read less than there is. */
function cutAnswers({ promptCounts }: MeasuredRun, { tokens }: PromptSizes): number {
  return promptCounts.filter((read, index) => read !== null && read < tokens[index]!).length;
}

function asJson({ before, after, truth, weightBytes, folder }: Measured, server: DemoServer): string {
  const run = (measured: MeasuredRun): object => {
    const { promptCounts: _counts, ...figures } = measured;
    return { ...figures, cutAnswers: cutAnswers(measured, truth) };
  };
  const { address, model } = server;
  const shown = {
    server: address.origin,
    model,
    calls: truth.tokens.length,
    weightBytes,
    promptTokens: truth,
    chatOllama: run(before),
    optimizedChatOllama: run(after),
    store: folder,
  };
  return `${JSON.stringify(shown, null, 2)}\n`;
}

function report({ before, after, truth, weightBytes, folder }: Measured): string {
  const row = (name: string, cell: (run: MeasuredRun) => string): string[] => [
    name,
    cell(before),
    cell(after),
  ];
  const calls = truth.tokens.length;
  const figures = table([
    [`${calls} calls`, "ChatOllama", "OptimizedChatOllama"],
    row("answers to a cut prompt", (run) => count(cutAnswers(run, truth))),
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
