/** Decides one call: gathers what is known of server, model, prompt and templates, and keeps the slots. */

import type { ServerAddress } from "../backend/ollama.js";
import type { ContextRefusal } from "../backend/refusal.js";
import { nodeTransport } from "../backend/transport.js";
import type { Logger } from "../logger.js";
import { type Configuration, DEFAULT_CONFIGURATION } from "../optimizer/configuration.js";
import type { CallFacts, Decided, PromptSize } from "../optimizer/decide.js";
import { explicitOptions } from "../optimizer/explicitOptions.js";
import { fingerprintPrompt } from "../optimizer/fingerprint.js";
import { type OutputReserve, outputReserve } from "../optimizer/reserve.js";
import type { Retry } from "../optimizer/retry.js";
import type { TemplateIndex } from "../optimizer/templates.js";
import type { CountSource, RunnerOptions } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import type { TokenizerPool } from "../tokens/index.js";
import { Conversations } from "./conversations.js";
import { HostSampler } from "./hostSampler.js";
import { overflowError } from "./overflowError.js";
import { decisionRecord, type Plan, type PlanBasis, undecided } from "./plan.js";
import { messagesOf, PromptCounter } from "./promptCounter.js";
import { ReserveRule } from "./reserveRule.js";
import { serverId } from "./serverId.js";
import { type InstalledModel, ServerWatch } from "./serverWatch.js";
import { Slots } from "./slots.js";
import { steadyNow } from "./steadyClock.js";
import { Templates } from "./templatesOf.js";
import type { EngineCall, ModelFacts } from "./types.js";

/** Between two looks at a server where another program is about to load. */
const LOOK_AGAIN_MS = 20;
/** A first call waits this long for the server's lists and the store and, when its bytes do not fit, for the tokenizer. */
const FIRST_CALL_WAIT_MS = 1_000;

type Where = Pick<EngineCall, "origin" | "headers" | "transport">;

export class Planner {
  readonly counter: PromptCounter;
  readonly slots: Slots;
  readonly templates: Templates;
  readonly reserveRule: ReserveRule;
  readonly host: HostSampler = new HostSampler(Date.now);
  private readonly watches = new Map<string, ServerWatch>();
  private readonly conversations = new Conversations();
  /** What is stored is read, or cannot be: the first decision about a model shall know its profile. */
  private readonly stored: Promise<void>;

  constructor(
    store: OptimizerStore,
    pool: TokenizerPool,
    private readonly logger: Logger,
  ) {
    this.stored = store.ready().catch(() => {});
    this.counter = new PromptCounter(pool, store, logger);
    this.slots = new Slots(store);
    this.templates = new Templates(store);
    this.reserveRule = new ReserveRule(store);
  }

  /** The plan of a call that goes out as written. */
  without(call: EngineCall, decided: Decided, started: number): Plan {
    const plan = { call, watch: this.watchOf(call), serverId: serverId(call.origin), basis: null, decided };
    return { ...plan, decision: decisionRecord(plan, performance.now() - started) };
  }

  async plan(call: EngineCall, started: number): Promise<Plan> {
    if (!call.optimize)
      return this.without(call, undecided("optimizing is switched off for this call", false), started);
    const watch = this.watchOf(call);
    const model = await this.modelOf(watch, call.body.model);
    if (!model) {
      return this.without(
        call,
        undecided("the server tells nothing about itself or the model", true),
        started,
      );
    }
    if (model.isRemote) return this.without(call, undecided("the model runs elsewhere", false), started);

    const configuration = call.configuration ?? DEFAULT_CONFIGURATION;
    const messages = messagesOf(call.body);
    const head = fingerprintPrompt(messages, call.body.tools, configuration);
    const index = this.indexOf(call, model);
    const match = index.match(head);
    const slotId = this.slots.see(serverId(call.origin), model, watch);
    const statisticsIds = index.statisticsIds(head, match);
    const reserve = this.reserveOf(call, model, slotId, statisticsIds, configuration);
    const explicit = explicitOptions(call.body.options ?? {});
    if (explicit.num_ctx === undefined) started += await this.untilSettled(slotId, call, model, watch);
    const isCut = call.onOverflow === "cut";
    this.slots.counting(slotId);
    let facts: CallFacts;
    let decided: Decided;
    try {
      facts = {
        prompt: await this.sizeOf(call, model, slotId, reserve, explicit, watch),
        reserve,
        explicit,
        extendsEarlierCall: this.conversations.extendsEarlier(slotId, messages),
        optimize: true,
        ...(call.reservesNumPredict === false && { outputLimit: numPredictOf(call) }),
        templateConfidence: match?.confidence ?? 0,
      };
      const turn = call.admit?.({
        slotId,
        templateId: match?.templateId ?? null,
        wouldReload: () => this.slots.wouldReload(slotId, facts, configuration, isCut),
      });
      if (turn) started += await this.whileUncounted(slotId, turn);
      // Decided, it would be a reload on its way, which the next call would take for real.
      call.signal?.throwIfAborted();
      decided = this.permitted(call, model, this.slots.decide(slotId, facts, configuration, isCut));
    } finally {
      this.slots.counted(slotId);
    }
    const basis: PlanBasis = { model, facts, head, match, statisticsIds, slotId };
    const plan = { call, watch, serverId: serverId(call.origin), basis, decided };
    return { ...plan, decision: decisionRecord(plan, performance.now() - started) };
  }

  /** Looks until no other program is about to load a window of its own. Milliseconds that it took. */
  private async untilSettled(
    slotId: string,
    { origin, signal }: EngineCall,
    model: InstalledModel,
    watch: ServerWatch,
  ): Promise<number> {
    if (!this.slots.isContested(slotId)) return 0;
    const began = performance.now();
    while (this.slots.isContested(slotId) && !signal?.aborted) {
      // Holds the program, which has nothing else to wait for.
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
      await Promise.race([watch.refresh(), delay(FIRST_CALL_WAIT_MS)]);
      this.slots.see(serverId(origin), model, watch);
    }
    if (!signal?.aborted) this.slots.waited(slotId);
    return performance.now() - began;
  }

  /** Waits without holding up others, which wait for calls that are being counted. Milliseconds that it took. */
  private async whileUncounted(slotId: string, turn: Promise<void>): Promise<number> {
    const began = performance.now();
    this.slots.counted(slotId);
    try {
      await turn;
    } finally {
      this.slots.counting(slotId);
    }
    return performance.now() - began;
  }

  /** The templates of a model, with this call's settings. */
  indexOf(call: EngineCall, model: InstalledModel): TemplateIndex {
    return this.templates.of(model.digest, configurationOf(call));
  }

  private async modelOf(watch: ServerWatch, name: string): Promise<InstalledModel | null> {
    const known = watch.model(name);
    const looking = watch.beforeDecision();
    if (known && !looking) return known;
    // The look may find that the model was made anew, and forget what was known of it.
    const looked = looking?.then(() => watch.learn(name));
    await Promise.race([
      Promise.all([known ?? watch.learn(name), looked, this.stored]),
      delay(FIRST_CALL_WAIT_MS),
    ]);
    return watch.model(name) ?? known ?? null;
  }

  private reserveOf(
    call: EngineCall,
    model: InstalledModel,
    slotId: string,
    statisticsIds: readonly string[],
    configuration: Configuration,
  ): OutputReserve {
    return outputReserve(
      {
        numPredict: numPredictOf(call),
        isMereLimit: call.reservesNumPredict === false,
        requested: call.reserve ?? this.templates.pinnedReserve(statisticsIds),
        templateP99: this.templates.outputTokens(statisticsIds.filter((id) => this.reserveRule.mayApply(id)))
          ?.p99,
        modelP99: this.slots.outputP99(slotId),
        thinks: model.capabilities.includes("thinking") && call.body.think !== false,
      },
      configuration,
    );
  }

  /** Counts only when it can matter: a prompt whose bytes fit the loaded window needs no counting. */
  private async sizeOf(
    call: EngineCall,
    model: InstalledModel,
    slotId: string,
    reserve: OutputReserve,
    explicit: RunnerOptions,
    watch: ServerWatch,
  ): Promise<PromptSize> {
    const upperBound = await this.counter.upperBound(model, call.body);
    const preparing = this.counter.isPrepared(model) ? null : this.counter.prepare(model, watch.address);
    const known = this.counter.known(model, call.body);
    if (known) return known;
    if (!this.slots.needsCount(slotId, upperBound, reserve, explicit, configurationOf(call))) {
      return { tokens: upperBound, source: "bound", upperBound };
    }
    if (preparing) await Promise.race([preparing, delay(FIRST_CALL_WAIT_MS)]);
    return this.counter.count(model, call.body, upperBound);
  }

  /** Applies the call's overflow policy to a decision. */
  private permitted(call: EngineCall, model: InstalledModel, decided: Decided): Decided {
    if (!decided.overflow) return decided;
    if (call.onOverflow !== "cut") throw overflowError(decided.overflow, decided.promptTokens ?? 0, model);
    const reason = decided.reason.replace(/\.$/, "; cut by the server as asked.");
    return { ...decided, truncate: undefined, reason };
  }

  /** What to send after the server refused the prompt's length; null when that is final. */
  afterContextRefusal(plan: Plan, refusal: ContextRefusal): Decided | null {
    const { basis, call, decided } = plan;
    if (!basis) return null;
    return this.again(
      plan,
      this.slots.afterContextError(basis.slotId, basis.facts, decided, refusal, configurationOf(call)),
    );
  }

  /** What to send after a load ran out of memory; null when there is no smaller window that holds the prompt. */
  afterOutOfMemory(plan: Plan): Decided | null {
    const { basis, call, decided } = plan;
    if (!basis) return null;
    return this.again(
      plan,
      this.slots.afterOutOfMemory(basis.slotId, basis.facts, decided, configurationOf(call)),
    );
  }

  private again(plan: Plan, retry: Retry): Decided | null {
    const basis = { ...plan.basis!, facts: retry.facts };
    plan.basis = basis;
    const decided = retry.decided && this.permitted(plan.call, basis.model, retry.decided);
    if (decided) this.slots.retried(basis.slotId, decided);
    return decided;
  }

  /**
   * The last look before a call goes out. A call that loads waits for those that came with it and are still being
   * counted, so that a cold burst loads once, with its largest need.
   */
  async beforeSending(plan: Plan): Promise<void> {
    const { basis } = plan;
    if (!basis || plan.decided.action === "pass") return;
    if (plan.decided.action !== "keep" || plan.decided.joinsReload) {
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.race([this.slots.settled(basis.slotId), delay(FIRST_CALL_WAIT_MS)]);
      // It has ended, and must not join a reload any more.
      plan.call.signal?.throwIfAborted();
    }
    const sent = this.slots.atSending(basis.slotId, basis.facts, plan.decided);
    if (sent === plan.decided) return;
    plan.decided = sent;
    plan.decision = decisionRecord(plan, plan.decision.decideMs, plan.decision.id);
  }

  async countTokens(
    call: Where & Pick<EngineCall, "body">,
  ): Promise<{ tokens: number; source: CountSource }> {
    const watch = this.watchOf(call);
    const model = watch.model(call.body.model) ?? (await watch.learn(call.body.model));
    const upperBound = await this.counter.upperBound(model, call.body);
    if (!model) return { tokens: upperBound, source: "bound" };
    if (!this.counter.isPrepared(model)) await this.counter.prepare(model, watch.address);
    const { tokens, source } =
      this.counter.known(model, call.body) ?? (await this.counter.count(model, call.body, upperBound));
    return { tokens, source };
  }

  async tokenIds(where: Where, name: string, text: string): Promise<Uint32Array | null> {
    const watch = this.watchOf(where);
    const model = watch.model(name) ?? (await watch.learn(name));
    if (!model) return null;
    if (!this.counter.isPrepared(model)) await this.counter.prepare(model, watch.address);
    return this.counter.isPrepared(model) ? this.counter.encode(model, text) : null;
  }

  modelFacts(origin: string, name: string): ModelFacts | undefined {
    const watch = this.watches.get(origin);
    const model = watch?.model(name);
    if (!watch || !model) return undefined;
    return {
      digest: model.digest,
      trainedNumCtx: model.trainedNumCtx,
      loadedNumCtx: watch.loadedState(model)?.numCtx ?? null,
      capabilities: model.capabilities,
    };
  }

  lookNowAndThen(origin: string): void {
    this.watches.get(origin)?.lookNowAndThen();
  }

  async learnModel(where: Where, name: string): Promise<ModelFacts | null> {
    const watch = this.watchOf(where);
    await Promise.all([watch.learn(name), watch.refresh()]);
    return this.modelFacts(where.origin, name) ?? null;
  }

  /** Runner options of the loaded slot; null when nothing is loaded, the model runs elsewhere, or nobody knows. */
  async loadedOptions(where: Where, name: string): Promise<RunnerOptions | null> {
    const watch = this.watchOf(where);
    const model = await this.modelOf(watch, name);
    if (!model || model.isRemote) return null;
    return this.slots.loadedOptions(this.slots.see(serverId(where.origin), model, watch));
  }

  /** The next decision about this server waits for a fresh look at what is loaded. */
  lookAgain(origin: string): void {
    this.watches.get(origin)?.markStale();
  }

  /**
   * Learns the chat template by rendered probes, with the loaded runner's exact options and only while no call of
   * this process uses it. Never awaited by a call.
   */
  async probe(plan: Plan): Promise<void> {
    const { basis, call, watch } = plan;
    if (!basis) return;
    await this.counter.prepare(basis.model, watch.address);
    if (!this.counter.isPrepared(basis.model)) return;
    await this.counter.probe(basis.model, addressOf(call), call.body, async () => {
      const idleOptions = () => (watch.undecided > 0 ? null : this.slots.idleOptions(basis.slotId));
      if (!idleOptions()) return null;
      // Another client may have loaded another window since the last look.
      await watch.refresh();
      const options = idleOptions();
      return watch.loadedState(basis.model)?.numCtx === options?.num_ctx ? options : null;
    });
  }

  private watchOf(where: Where): ServerWatch {
    const known = this.watches.get(where.origin);
    if (known) {
      // As the latest caller reaches the server: credentials of an earlier one may be wrong or have run out.
      known.address = addressOf(where);
      return known;
    }
    const watch = new ServerWatch(addressOf(where), steadyNow, this.logger);
    this.watches.set(where.origin, watch);
    return watch;
  }

  close(): void {
    this.watches.clear();
  }
}

/** Tokens; undefined where the call sets no limit. */
function numPredictOf({ body }: EngineCall): number | undefined {
  const { num_predict: numPredict } = body.options ?? {};
  return typeof numPredict === "number" && numPredict > 0 ? numPredict : undefined;
}

function addressOf({ origin, headers, transport }: Where): ServerAddress {
  return { origin, headers, transport: transport ?? nodeTransport };
}

function configurationOf(call: EngineCall): Configuration {
  return call.configuration ?? DEFAULT_CONFIGURATION;
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
