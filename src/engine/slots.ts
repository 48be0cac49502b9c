/** The slots of this process: each one's state, its stored profile, and the calls that are on their way. */
import type { ContextRefusal } from "../backend/refusal.js";
import type { WireChunk } from "../backend/wire.js";
import { type AfterReply, afterReply, type Reply } from "../optimizer/afterReply.js";
import type { Configuration } from "../optimizer/configuration.js";
import { afterWaiting, isContested } from "../optimizer/contest.js";
import { type CallFacts, type Decided, decide } from "../optimizer/decide.js";
import { conflicts, sameOptions } from "../optimizer/explicitOptions.js";
import { histogramOf, quantile } from "../optimizer/histogram.js";
import { needsCount } from "../optimizer/needsCount.js";
import {
  type ProfileChange,
  profileChange,
  profileId,
  slotFromProfile,
  withLastOptions,
  withProfile,
} from "../optimizer/profile.js";
import type { OutputReserve } from "../optimizer/reserve.js";
import { afterContextError, afterOutOfMemory, type Retry } from "../optimizer/retry.js";
import { expectedRunner, type SlotState } from "../optimizer/slotState.js";
import {
  afterDecision,
  afterFailure,
  afterLoaded,
  atSending,
  isReloading,
  observe,
} from "../optimizer/transitions.js";
import type { RunnerOptions } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import { milliseconds } from "./replyObserver.js";
import type { InstalledModel, ServerWatch } from "./serverWatch.js";
import { steadyNow } from "./steadyClock.js";

/** Fewer replies than this say little about the next one's length. */
const ENOUGH_REPLIES = 5;
const UNSTEERED = {};

/** Names of one runner that are kept. */
const MOST_NAMES = 16;

interface Slot {
  state: SlotState;
  /** The name by which it was asked for last. */
  model: string;
  running: number;
  /** Of the reload that went out last. */
  sentSince: number | null;
  /** Calls that were seen and are not decided yet: their prompts are being counted. */
  undecided: number;
  /** Called when the last of them is. */
  waiting: (() => void)[];
  observedAt: number;
  /** What was found out last: a call asks for its turn, and is decided a moment later. */
  judged: Judged | null;
}

interface Judged {
  readonly state: SlotState;
  readonly facts: CallFacts;
  readonly at: number;
  readonly decided: Decided;
}

/** For so many milliseconds. */
const STILL_TRUE_MS = 10;

export class Slots {
  private readonly slots = new Map<string, Slot>();

  constructor(private readonly store: OptimizerStore) {
    store.subscribe(({ kind, id, record }) => {
      const slot = kind === "profiles" && record ? this.slots.get(id) : undefined;
      if (slot) slot.state = withProfile(slot.state, record as never);
    });
    // A slot may be seen before what is stored has been read, and would overwrite it with what little it knows.
    store.ready().then(
      () => {
        for (const [id, slot] of this.slots) {
          const profile = store.get("profiles", id);
          if (profile) slot.state = withProfile(slot.state, profile);
        }
      },
      () => {},
    );
  }

  /** The slot of a model, with what the server showed last taken in. */
  see(serverId: string, model: InstalledModel, watch: ServerWatch): string {
    const identity = { serverId, blob: model.blob, trainedNumCtx: model.trainedNumCtx };
    const id = profileId(identity);
    let slot = this.slots.get(id);
    if (!slot) {
      slot = {
        state: slotFromProfile(identity, this.store.get("profiles", id)),
        model: model.name,
        running: 0,
        sentSince: null,
        undecided: 0,
        waiting: [],
        observedAt: 0,
        judged: null,
      };
      this.slots.set(id, slot);
    }
    this.steer(id, slot);
    slot.model = model.name;
    if (watch.observedAt > slot.observedAt) this.look(id, slot, model, watch);
    return id;
  }

  /** What this process's own auto-optimizer asks for; others' changes come with the store's events. */
  private steer(id: string, slot: Slot): void {
    const steering = this.store.get("profiles", id)?.steering ?? UNSTEERED;
    if (slot.state.known.steering === steering) return;
    slot.state = { ...slot.state, known: { ...slot.state.known, steering } };
  }

  private look(id: string, slot: Slot, model: InstalledModel, watch: ServerWatch): void {
    slot.observedAt = watch.observedAt;
    const loaded = watch.loadedState(model);
    const others = watch.otherModelsLoaded(model);
    const seen = observe(slot.state, {
      numCtx: loaded?.numCtx ?? null,
      sizeBytes: loaded?.sizeBytes ?? 0,
      vramBytes: loaded?.vramBytes ?? 0,
      expiresAt: loaded?.expiresAt ?? null,
      otherModelsLoaded: others.count,
      otherBytes: others.bytes,
      observedAt: watch.observedAt,
    });
    slot.state = seen.isForeign ? withLastOptions(seen.slot, this.store.get("profiles", id)) : seen.slot;
    if (!seen.isForeign && !seen.isEvicted) return;
    const counts = { foreignReloads: Number(seen.isForeign), evictions: Number(seen.isEvicted) };
    this.keep(id, slot, profileChange(slot.state, steadyNow(), counts));
  }

  /** Stores a change; a profile that is new, or was removed meanwhile, whole. */
  private keep(id: string, { state }: Slot, change: Partial<ProfileChange>): void {
    const { ceilings } = state.known;
    const isNew = this.store.get("profiles", id) === undefined;
    void this.store.merge("profiles", { ...(isNew && { ceilings }), ...change, id } as never);
  }

  /** Whether another program is about to load a window of its own: what was seen last says little. */
  isContested(id: string): boolean {
    return isContested(this.of(id).state, steadyNow());
  }

  /** What was waited for came, or did not. */
  waited(id: string): void {
    const slot = this.of(id);
    slot.state = afterWaiting(slot.state);
  }

  /** A call's prompt is being counted. */
  counting(id: string): void {
    this.of(id).undecided++;
  }

  /** It was decided, or failed. */
  counted(id: string): void {
    const slot = this.of(id);
    slot.undecided--;
    if (slot.undecided > 0) return;
    for (const resume of slot.waiting.splice(0)) resume();
  }

  /** Resolves when no call of this slot is being counted any more. */
  settled(id: string): Promise<void> {
    const slot = this.of(id);
    return slot.undecided === 0
      ? Promise.resolve()
      : new Promise((resume) => {
          slot.waiting.push(resume);
        });
  }

  /**
   * Whether a call that was decided now would have a loaded model loaded anew. A reload takes along whom it can until
   * it goes out, and then those whom its window suits.
   *
   * @param isCut as of {@link decide}
   */
  wouldReload(id: string, facts: CallFacts, configuration: Configuration, isCut: boolean): boolean {
    const slot = this.of(id);
    const { state, sentSince } = slot;
    const { pending } = state;
    const isFree = facts.explicit.num_ctx === undefined;
    const isOpen = pending !== null && pending.since !== sentSince;
    if (isOpen && isFree && !conflicts(facts.explicit, pending.options)) return false;
    if (expectedRunner(state).numCtx === null) return false;
    const at = steadyNow();
    const decided = decide(state, facts, configuration, at);
    slot.judged = { state, facts, at, decided };
    return (!decided.overflow || isCut) && isReloading(decided);
  }

  /**
   * Decides a call and takes the decision in, in one turn of the event loop.
   *
   * @param isCut it goes out also where its prompt does not fit
   */
  decide(id: string, facts: CallFacts, configuration: Configuration, isCut: boolean = false): Decided {
    const slot = this.of(id);
    const { state, judged } = slot;
    slot.judged = null;
    const now = steadyNow();
    const isTrue = judged?.state === state && judged.facts === facts && now - judged.at < STILL_TRUE_MS;
    const decided = isTrue ? judged.decided : decide(state, facts, configuration, now);
    if (!decided.overflow || isCut) slot.state = afterDecision(state, decided, now);
    return decided;
  }

  /** The decision as it goes out now: with the target that concurrent calls raised meanwhile. */
  atSending(id: string, facts: CallFacts, decided: Decided): Decided {
    const slot = this.of(id);
    const sent = atSending(slot.state, decided, facts.explicit, facts.outputLimit);
    if (sent !== decided) {
      slot.state = afterFailure(slot.state, decided);
      slot.state = afterDecision(slot.state, sent, steadyNow());
    }
    const { pending } = slot.state;
    if (pending && sameOptions(pending.options, sent.options)) slot.sentSince = pending.since;
    return sent;
  }

  needsCount(
    id: string,
    upperBound: number,
    reserve: OutputReserve,
    explicit: RunnerOptions,
    configuration: Configuration,
  ): boolean {
    return needsCount(this.of(id).state, upperBound, reserve, explicit, configuration);
  }

  /** 99th percentile of this slot's output tokens; undefined while too few replies are known. */
  outputP99(id: string): number | undefined {
    const profile = this.store.get("profiles", id);
    if (!profile || profile.counts.calls < ENOUGH_REPLIES) return undefined;
    return quantile(profile.counts.outputTokens ?? {}, 0.99) ?? undefined;
  }

  afterContextError(
    id: string,
    facts: CallFacts,
    decided: Decided,
    refusal: ContextRefusal,
    configuration: Configuration,
  ): Retry {
    const slot = this.of(id);
    const retry = afterContextError(slot.state, facts, decided, refusal, configuration, steadyNow());
    slot.state = retry.slot;
    return retry;
  }

  afterOutOfMemory(id: string, facts: CallFacts, decided: Decided, configuration: Configuration): Retry {
    const slot = this.of(id);
    const otherBytes = slot.state.loaded?.otherBytes ?? 0;
    const retry = afterOutOfMemory(slot.state, facts, decided, otherBytes, configuration, steadyNow());
    slot.state = retry.slot;
    const { ceilings } = slot.state.known;
    this.keep(id, slot, { ...profileChange(slot.state, steadyNow(), {}), ceilings });
    return retry;
  }

  /** Takes in the decision of a retry that goes out. */
  retried(id: string, decided: Decided): void {
    const slot = this.of(id);
    slot.state = afterDecision(slot.state, decided, steadyNow());
  }

  started(id: string): void {
    this.of(id).running++;
  }

  /** The runner answered: its options are loaded from now on. */
  loaded(id: string, decided: Decided): void {
    const slot = this.of(id);
    slot.state = afterLoaded(slot.state, decided.options, steadyNow());
  }

  /** Ends a call that failed before its reply. */
  failed(id: string, decided: Decided): void {
    const slot = this.of(id);
    slot.running--;
    slot.state = afterFailure(slot.state, decided);
  }

  /** Ends an answered call: takes in what it showed, and keeps it. */
  answered(id: string, facts: CallFacts, decided: Decided, reply: Reply): AfterReply {
    const slot = this.of(id);
    slot.running--;
    // What its first line showed was taken in then: what differs now is newer.
    const isOutdated = !sameOptions(slot.state.options, decided.options);
    const after = afterReply(slot.state, facts, decided, { ...reply, isOutdated }, steadyNow());
    slot.state = after.slot;
    const counts = {
      ...after.change.counts,
      ...(after.isLearnable && {
        promptTokens: histogramOf(reply.promptTokens),
        outputTokens: reply.doneReason === "length" ? {} : histogramOf(reply.outputTokens),
      }),
    };
    this.keep(id, slot, { ...after.change, ...this.namesOf(id, slot), counts });
    return after;
  }

  /** The names of a slot, where this one is new to its profile. */
  private namesOf(id: string, { model }: Slot): { readonly models?: readonly string[] } {
    const known = this.store.get("profiles", id)?.models ?? [];
    return known.includes(model) ? {} : { models: [...known, model].slice(-MOST_NAMES) };
  }

  /** The loaded runner's exact options while no call of this process uses it; null otherwise. */
  idleOptions(id: string): RunnerOptions | null {
    const { running, state } = this.of(id);
    const isLoaded = state.loaded !== null && state.loaded.numCtx !== null;
    return running === 0 && isLoaded && !state.pending ? state.options : null;
  }

  /** What a side call must send so that it does not reload: the options on their way, else the loaded ones. */
  loadedOptions(id: string): RunnerOptions | null {
    const { state } = this.of(id);
    if (state.pending) return state.pending.options;
    return state.loaded !== null && state.loaded.numCtx !== null ? state.options : null;
  }

  private of(id: string): Slot {
    const slot = this.slots.get(id);
    if (!slot) throw new Error(`slot ${id} was never seen`);
    return slot;
  }
}

/** A final line in the units of the decision. */
export function replyOf(final: WireChunk, sentAt: number, retries: number, isTwoRequests: boolean): Reply {
  return {
    promptTokens: final.prompt_eval_count ?? null,
    outputTokens: final.eval_count ?? null,
    loadMs: milliseconds(final.load_duration),
    promptMs: milliseconds(final.prompt_eval_duration),
    outputMs: milliseconds(final.eval_duration),
    doneReason: final.done_reason ?? null,
    sentAt,
    isTwoRequests,
    retries,
    error: null,
  };
}
