/**
 * The log replayed against other ways of sizing the window: the same calls in the same order, each policy with a
 * server of its own that has one model loaded or none.
 */
import type { RequestRecord } from "../records.js";
import type { Call, Slot as SlotIdentity } from "./call.js";
import { entryOf } from "./entryOf.js";
import { RobustWindow } from "./robustWindow.js";
import type { Counterfactual, Replay } from "./types.js";

/** What a reply is given where the record does not say. */
const OUTPUT_RESERVE = 1024;
/** Ollama's window on small machines, and how long it keeps a model by default. */
const DEFAULT_WINDOW = 4096;
const KEEP_ALIVE_MS = 300_000;
/** Load durations that the median is taken of. */
const LOADS = 512;

/** The window a policy sends, given the need and what is loaded (0 = nothing). Tokens. */
type Policy = (needTokens: number, loaded: number) => number;

const POLICIES: Readonly<
  Record<Counterfactual["policy"], { readonly rule: string; readonly choose: Policy }>
> = {
  perRequest: {
    rule: "each call with a window of 1.2 x its need, as proxies do that size by request",
    choose: (need) => Math.ceil(1.2 * need),
  },
  stickyDoubling: {
    rule: "4,096 at first, doubled until a call fits, never smaller again while the model stays loaded",
    choose: (need, loaded) =>
      need <= loaded ? loaded : Math.max(DEFAULT_WINDOW, 2 ** Math.ceil(Math.log2(need))),
  },
};

const POLICY_NAMES = Object.keys(POLICIES) as Counterfactual["policy"][];

interface Simulated {
  window: number;
  loads: number;
}

interface Slot {
  busyUntil: number;
  readonly simulated: Readonly<Record<Counterfactual["policy"], Simulated>>;
}

export class Replayer {
  private readonly slots = new Map<SlotIdentity, Slot>();
  private readonly loadMs = new RobustWindow(LOADS);
  private calls = 0;
  private loads = 0;
  private longerThanDefault = 0;

  takeCall({ record, at, slot: identity, isLoad }: Call): void {
    // Undecided and failed calls say nothing about sizing; a cut prompt hides its need.
    const need = needOf(record);
    if (need === null) return;
    const slot = this.slots.get(identity) ?? entryOf(this.slots, identity, emptySlot);
    this.calls++;
    if (isLoad) {
      this.loads++;
      if (record.loadMs !== null) this.loadMs.push(record.loadMs);
    }
    if ((record.promptTokens ?? 0) > DEFAULT_WINDOW) this.longerThanDefault++;
    const isUnloaded = at - slot.busyUntil > KEEP_ALIVE_MS;
    for (const name of POLICY_NAMES) {
      const { choose } = POLICIES[name];
      const state = slot.simulated[name];
      const loaded = isUnloaded ? 0 : state.window;
      state.window = choose(need, loaded);
      if (state.window !== loaded) state.loads++;
    }
    slot.busyUntil = Math.max(slot.busyUntil, at + (record.totalMs ?? 0));
  }

  result(): Replay {
    const medianLoadMs = this.loadMs.count > 0 ? this.loadMs.median : null;
    const counterfactuals = POLICY_NAMES.map((policy): Counterfactual => {
      const loads = [...this.slots.values()].reduce((sum, slot) => sum + slot.simulated[policy].loads, 0);
      const loadsAvoided = loads - this.loads;
      return {
        policy,
        rule: POLICIES[policy].rule,
        loads,
        loadsAvoided,
        timeSavedMs: medianLoadMs === null ? null : loadsAvoided * medianLoadMs,
      };
    });
    return {
      calls: this.calls,
      loads: this.loads,
      medianLoadMs,
      longerThanDefault: this.longerThanDefault,
      counterfactuals,
      assumptions: [
        "the same calls in the same order, replayed from the log without a server",
        "every load takes the median load time seen in the log",
        "a model is unloaded after 5 minutes without a call",
        "the prompts that would have to be evaluated again after a load are not counted, nor is the memory of larger windows",
      ],
    };
  }
}

function needOf(record: RequestRecord): number | null {
  if (record.error !== null || record.promptTokens === null) return null;
  if (record.decision?.needTokens) return record.decision.needTokens;
  return (
    record.promptTokens + Math.max(record.outputTokens ?? 0, record.decision?.outputReserve ?? OUTPUT_RESERVE)
  );
}

function emptySlot(): Slot {
  return {
    busyUntil: Number.NEGATIVE_INFINITY,
    simulated: { perRequest: { window: 0, loads: 0 }, stickyDoubling: { window: 0, loads: 0 } },
  };
}
