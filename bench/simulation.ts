/**
 * Five ways of sizing the window on the seeded workload, simulated: how often the model is loaded, and how much
 * window stays in memory. Exact counts for all of them, which favours the simple ones.
 */
import { pathToFileURL } from "node:url";
import { afterReply } from "../src/optimizer/afterReply.js";
import { type Configuration, configuration } from "../src/optimizer/configuration.js";
import { type CallFacts, decide } from "../src/optimizer/decide.js";
import { slotFromProfile } from "../src/optimizer/profile.js";
import type { SlotState } from "../src/optimizer/slotState.js";
import { afterDecision, observe } from "../src/optimizer/transitions.js";
import { TOKENS_PER_WORD, type WorkloadCall, type WorkloadOptions, workload } from "./workload.js";

/** Ollama's default window on small machines. */
const DEFAULT_WINDOW = 4096;
/** Without a limit of its own, every policy keeps this much for the reply. */
const OUTPUT_RESERVE = 1024;

export interface SimulationOptions extends WorkloadOptions {
  /** Trained window. @default 131072 (Llama 3.1, Qwen 2.5, Gemma 3) */
  readonly trainedNumCtx?: number;
  readonly config?: Configuration;
  /** Tokens kept for the reply. @default 1024 */
  readonly outputReserve?: number;
}

export interface PolicyResult {
  readonly loads: number;
  /** Loads after the first 50 calls. */
  readonly lateLoads: number;
  /** Prompts longer than the window they met. */
  readonly cut: number;
  readonly finalWindow: number;
  /** Mean over all calls. */
  readonly meanWindow: number;
  readonly largestNeed: number;
}

/** The window that a policy wants for a need, given what is loaded (0 = nothing). Stateful: one per run. */
type Policy = (needTokens: number, loaded: number, call: WorkloadCall) => number;

export const POLICIES: Readonly<Record<string, (options: SimulationOptions) => Policy>> = {
  "plain default": () => () => DEFAULT_WINDOW,
  "fixed maximum": (options) => () => trained(options),
  "per request": (options) => (need) => Math.min(Math.ceil(1.2 * need), trained(options)),
  "sticky doubling": (options) => (need, loaded) =>
    need <= loaded
      ? loaded
      : Math.min(Math.max(DEFAULT_WINDOW, 2 ** Math.ceil(Math.log2(need))), trained(options)),
  "this package": thisPackage,
};

function trained(options: SimulationOptions): number {
  return options.trainedNumCtx ?? 131_072;
}

/** The real decision and the real learning, without a server. */
function thisPackage(options: SimulationOptions): Policy {
  const config = options.config ?? configuration();
  const reserve = options.outputReserve ?? OUTPUT_RESERVE;
  let now = Date.UTC(2025, 0, 1);
  const nothing = { sizeBytes: 0, vramBytes: 0, expiresAt: null, otherModelsLoaded: 0, otherBytes: 0 };
  const empty = slotFromProfile({
    serverId: "simulated",
    blob: "simulated",
    trainedNumCtx: trained(options),
  });
  let slot: SlotState = observe(empty, { ...nothing, numCtx: null, observedAt: now }).slot;
  return (need, _loaded, call) => {
    now += 10_000;
    const tokens = need - reserve;
    const facts: CallFacts = {
      prompt: { tokens, source: "exact", upperBound: tokens },
      reserve: { tokens: reserve, source: "default" },
      explicit: {},
      extendsEarlierCall: call.extendsEarlierCall,
      optimize: true,
    };
    const decided = decide(slot, facts, config, now);
    const isReload = decided.action !== "keep";
    const reply = {
      promptTokens: tokens,
      outputTokens: Math.min(reserve, Math.ceil(call.replyWords * TOKENS_PER_WORD)),
      loadMs: isReload ? 3000 : 50,
      promptMs: null,
      outputMs: null,
      doneReason: "stop",
      retries: 0,
      error: null,
    };
    slot = afterReply(afterDecision(slot, decided, now), facts, decided, reply, now).slot;
    return decided.options.num_ctx!;
  };
}

/** One policy on one seed. */
export function simulate(name: string, options: SimulationOptions): PolicyResult {
  const policy = POLICIES[name]!(options);
  const reserve = options.outputReserve ?? OUTPUT_RESERVE;
  let window = 0;
  let loads = 0;
  let lateLoads = 0;
  let cut = 0;
  let sum = 0;
  let largestNeed = 0;
  let index = 0;
  for (const call of workload(options)) {
    const prompt = Math.ceil(call.words * TOKENS_PER_WORD);
    const wanted = policy(prompt + reserve, window, call);
    if (wanted !== window) {
      loads++;
      if (index >= 50) lateLoads++;
    }
    window = wanted;
    sum += window;
    largestNeed = Math.max(largestNeed, prompt + reserve);
    if (prompt > window) cut++;
    index++;
  }
  return { loads, lateLoads, cut, finalWindow: window, meanWindow: sum / index, largestNeed };
}

/** Means over seeds 1 to `seeds`. */
export function meanOver(
  name: string,
  seeds: number,
  options: Omit<SimulationOptions, "seed"> = {},
): PolicyResult {
  const results = Array.from({ length: seeds }, (_, index) =>
    simulate(name, { ...options, seed: index + 1 }),
  );
  const mean = (pick: (result: PolicyResult) => number) =>
    results.reduce((total, result) => total + pick(result), 0) / seeds;
  return {
    loads: mean((r) => r.loads),
    lateLoads: mean((r) => r.lateLoads),
    cut: mean((r) => r.cut),
    finalWindow: mean((r) => r.finalWindow),
    meanWindow: mean((r) => r.meanWindow),
    largestNeed: mean((r) => r.largestNeed),
  };
}

/** All policies, as a table for people. */
export function table(seeds: number, options: Omit<SimulationOptions, "seed"> = {}): string {
  const rows = [
    ["policy", "loads", "after call 50", "cut", "final window", "mean window", "final / largest need"],
  ];
  for (const name of Object.keys(POLICIES)) {
    const r = meanOver(name, seeds, options);
    rows.push([
      name,
      r.loads.toFixed(2),
      r.lateLoads.toFixed(2),
      r.cut.toFixed(1),
      r.finalWindow.toFixed(0),
      r.meanWindow.toFixed(0),
      (r.finalWindow / r.largestNeed).toFixed(2),
    ]);
  }
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(`20 seeds of 1,000 calls, trained window 131,072\n${table(20)}`);
  for (const tokens of [8_192, 16_384, 24_000, 32_768, 48_000]) {
    const conversationWords = Math.ceil(tokens / TOKENS_PER_WORD);
    console.log(`\nconversations that grow to ${tokens} tokens\n${table(20, { conversationWords })}`);
  }
}
