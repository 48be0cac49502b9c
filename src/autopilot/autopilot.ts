/**
 * Looks at how calls go, takes a step where the figures call for one, looks again, and takes it back when it did not
 * help. By hand, or every five minutes once it is switched on; what it did is in the store, with its reasons.
 */
import { randomUUID } from "node:crypto";
import { trendOf } from "../analysis/trend.js";
import type { TrendResult } from "../analysis/types.js";
import { OptimizerError } from "../errors.js";
import { type Logger, silentLogger, warnSafely } from "../logger.js";
import type { Monitor, MonitorFigures } from "../monitor/index.js";
import type { OptimizerStore } from "../storage/store.js";
import { History, type LoopState } from "./history.js";
import { DEFAULT_PATIENCE, judgeStep, type Patience } from "./judge.js";
import type { CacheCounts, Levers } from "./levers.js";
import { type AutopilotLimits, DEFAULT_LIMITS, ENOUGH, present, proposeSteps } from "./propose.js";
import type { Measurements, Proposal, Step, StepType } from "./step.js";

export interface AutopilotOptions {
  /** Where switch and history are kept. */
  readonly store: OptimizerStore;
  readonly monitor: Monitor;
  /** What may be turned; see `leversOf`. */
  readonly levers: Levers;
  /** Types of steps that may be applied; others are proposed only. Default: all. */
  readonly allowed?: readonly StepType[];
  readonly limits?: Partial<AutopilotLimits>;
  readonly patience?: Partial<Patience>;
  /** Between two runs of the loop, ms. Default 5 minutes. */
  readonly everyMs?: number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  readonly logger?: Logger;
}

/** What one run did. */
export interface AutopilotRun {
  /** ISO 8601. */
  readonly at: string;
  /** Steps of this run: applied, or proposed where they are not allowed or the run was dry. */
  readonly steps: readonly Step[];
  /** Earlier steps that were judged in this run. */
  readonly judged: readonly Step[];
}

export interface AutopilotStatus extends LoopState {
  readonly everyMs: number;
  /** Steps that are applied and watched. */
  readonly open: number;
}

const EVERY_MS = 5 * 60_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Minutes that the monitor keeps one by one. */
const MOST_MINUTES = 60;
const NOTHING_COUNTED: CacheCounts = { hits: 0, misses: 0, size: 0, maxSize: 0 };

/**
 * @example
 * const autopilot = new Autopilot({ store, monitor, levers: leversOf({ store, cache }) });
 * const { steps } = await autopilot.run({ dryRun: true });
 * for (const { action, reason, expected } of steps) console.log(action, reason, expected);
 * await autopilot.enable();
 */
export class Autopilot {
  private readonly history: History;
  private readonly now: () => number;
  private readonly logger: Logger;
  private readonly everyMs: number;
  private readonly limits: AutopilotLimits;
  private readonly patience: Patience;
  private readonly timer: NodeJS.Timeout;
  private readonly restored: Promise<void>;
  private running: Promise<unknown> = Promise.resolve();
  /** What the cache had counted when it was last judged by enough lookups, and when each open step was applied; it counts from 0 after a restart. */
  private counted: CacheCounts = NOTHING_COUNTED;
  private readonly countedAt = new Map<string, CacheCounts>();

  /** @throws OptimizerError `OPTION_INVALID` */
  constructor(private readonly options: AutopilotOptions) {
    const { everyMs = EVERY_MS, limits, patience } = options;
    if (!(everyMs >= 1_000 && everyMs < 2 ** 31)) {
      throw new OptimizerError({
        code: "OPTION_INVALID",
        message: `everyMs is ${everyMs}`,
        remedy: "Give milliseconds, 1000 or more.",
      });
    }
    this.history = new History(options.store);
    this.now = options.now ?? Date.now;
    this.logger = options.logger ?? silentLogger;
    this.everyMs = everyMs;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.patience = { ...DEFAULT_PATIENCE, ...patience };
    this.restored = this.safely(() => this.restore());
    // It asks the store each time: another program may have switched it, and the switch survives a restart.
    this.timer = setInterval(() => void this.safely(() => this.tick()), everyMs);
    this.timer.unref();
  }

  /**
   * Judges what is open and takes, or with `dryRun` only tells, the steps that are due.
   *
   * @throws what the store says when it cannot be written
   */
  run({ dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<AutopilotRun> {
    const run = this.running.then(() => this.runOnce(dryRun));
    this.running = run.catch(() => {});
    return run;
  }

  /** Switches the loop on. Resolves when that is stored. */
  enable(): Promise<void> {
    return this.switchTo(true);
  }

  /** Switches the loop off. What was applied stays; what is open is judged by the next run. */
  disable(): Promise<void> {
    return this.switchTo(false);
  }

  /** What it does at present, and the steps so far. */
  status(): AutopilotStatus {
    const open = this.history.steps().filter(({ state }) => state === "open").length;
    return { ...this.history.state(), everyMs: this.everyMs, open };
  }

  /** Every step ever taken or proposed, oldest first; at most 500. */
  steps(): readonly Step[] {
    return this.history.steps();
  }

  /** Ends the loop in this process. Its switch stays. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async switchTo(enabled: boolean): Promise<void> {
    await this.options.store.ready();
    await this.history.switched({ enabled, changedAt: this.isoNow() });
  }

  private async tick(): Promise<void> {
    const { enabled, lastRunAt } = this.history.state();
    // Several programs of one store: one of them runs. A run in the future was a clock that ran ahead.
    const isDue = lastRunAt === null || Math.abs(this.now() - Date.parse(lastRunAt)) > 0.5 * this.everyMs;
    if (enabled && isDue) await this.run();
  }

  private async runOnce(dryRun: boolean): Promise<AutopilotRun> {
    await this.restored;
    const at = this.isoNow();
    const counts = (await this.options.levers.cacheCounts?.()) ?? null;
    const judged = dryRun ? [] : await this.judge(counts);
    const hour = this.options.monitor.figures({ minutes: MOST_MINUTES });
    const measured = measurements(hour, counts, this.counted);
    const proposals = proposeSteps(
      {
        now: this.now(),
        measured,
        cacheHasRoom: counts !== null && counts.size < counts.maxSize,
        trend: this.trend(),
        dials: this.dials(),
        canRelease: this.options.levers.release !== undefined,
        canRetune: this.options.levers.retune !== undefined,
        history: this.history.steps(),
      },
      this.limits,
    );
    const steps: Step[] = [];
    for (const proposal of proposals) {
      const isAllowed = this.options.allowed?.includes(proposal.type) ?? true;
      steps.push(await this.take(proposal, measured, at, dryRun || !isAllowed, dryRun));
    }
    if (!dryRun) {
      const counted = counts ?? NOTHING_COUNTED;
      // Where few calls come, the lookups of several runs add up to enough.
      if (measured.lookups >= ENOUGH) this.counted = counted;
      for (const { id, state } of steps) if (state === "open") this.countedAt.set(id, counted);
      await this.history.ran(at);
    }
    return { at, steps, judged };
  }

  private async take(
    proposal: Proposal,
    before: Measurements,
    at: string,
    onlyPropose: boolean,
    dryRun: boolean,
  ): Promise<Step> {
    const open = { id: randomUUID(), at, before, after: null, checkedAt: null, verdict: null };
    if (onlyPropose) {
      const step: Step = { ...proposal, ...open, state: "proposed" };
      if (!dryRun) await this.saveProposed(step);
      return step;
    }
    if (proposal.type === "release" || proposal.type === "retune") {
      const verdict = await this.attempt(() =>
        this.options.levers[proposal.type as "release" | "retune"]?.(),
      );
      const step: Step = { ...proposal, ...open, state: "done", checkedAt: this.isoNow(), verdict };
      await this.history.save(step);
      return step;
    }
    // Stored first: a program that dies in between takes it back after its restart.
    const step: Step = { ...proposal, ...open, state: "open" };
    await this.history.save(step);
    await this.dial(step)?.set(step.to);
    return step;
  }

  /** The same proposal again and again would fill the history. */
  private async saveProposed(step: Step): Promise<void> {
    const isKnown = this.history
      .steps()
      .some(
        ({ state, type, target, to }) =>
          state === "proposed" && type === step.type && target === step.target && to === step.to,
      );
    if (!isKnown) await this.history.save(step);
  }

  private async judge(counts: CacheCounts | null): Promise<readonly Step[]> {
    const judged: Step[] = [];
    for (const step of this.history.steps()) {
      if (step.state !== "open") continue;
      const figures = this.figuresSince(Date.parse(step.at));
      const after = measurements(figures, counts, this.countedAt.get(step.id) ?? NOTHING_COUNTED);
      const verdict = judgeStep(step, after, figures.reloads > 0, this.now(), this.patience);
      if (!verdict) continue;
      const checked: Step = {
        ...step,
        state: verdict.state,
        after,
        checkedAt: this.isoNow(),
        verdict: verdict.text,
      };
      const dial = this.dial(step);
      if (verdict.state === "reverted" && dial?.read() === step.to) await dial.set(step.from);
      await this.history.save(checked);
      this.countedAt.delete(step.id);
      judged.push(checked);
    }
    return judged;
  }

  /** After a restart, dials that live in memory are where the kept steps left them. */
  private async restore(): Promise<void> {
    await this.options.store.ready();
    for (const step of this.history.steps()) {
      if (step.state !== "kept" && step.state !== "open") continue;
      const dial = this.dial(step);
      if (!dial || dial.isStored || dial.read() === step.to) continue;
      // Otherwise a person has set it anew since.
      if (step.from === null || step.from === present(dial)) await dial.set(step.to);
    }
  }

  private dials() {
    return this.options.levers.dials?.() ?? [];
  }

  private dial({ type, target }: Pick<Step, "type" | "target">) {
    return this.dials().find((dial) => dial.kind === type && dial.target === target);
  }

  /** Of the minutes that began since, or of the hours: what was before must not speak for a step. */
  private figuresSince(since: number): MonitorFigures {
    const { monitor } = this.options;
    const begun = (widthMs: number) => Math.floor(this.now() / widthMs) - Math.ceil(since / widthMs) + 1;
    const minutes = begun(MINUTE_MS);
    return minutes <= MOST_MINUTES
      ? monitor.figures({ minutes: Math.max(1, minutes) })
      : monitor.figures({ hours: Math.max(1, begun(HOUR_MS)) });
  }

  private trend(): TrendResult | null {
    const { overall } = trendOf(this.options.monitor.recent(), { now: this.now() });
    return overall.enough ? overall : null;
  }

  private isoNow(): string {
    return new Date(this.now()).toISOString();
  }

  private async attempt(work: () => Promise<string> | undefined): Promise<string> {
    try {
      return (await work()) ?? "nothing was done";
    } catch (error) {
      return `It failed (${nameOf(error)})`;
    }
  }

  private async safely(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      warnSafely(this.logger, `autopilot: a run failed (${nameOf(error)})`);
    }
  }
}

/** @param before what the cache had counted when the span of time began */
function measurements(
  figures: MonitorFigures,
  counts: CacheCounts | null,
  before: CacheCounts,
): Measurements {
  const hits = counts ? counts.hits - before.hits : 0;
  const lookups = counts ? hits + counts.misses - before.misses : 0;
  return {
    calls: figures.calls,
    lookups,
    hitRate: lookups > 0 ? hits / lookups : null,
    memory: figures.memoryPercent?.mean ?? null,
    cpu: figures.cpuPercent?.mean ?? null,
    reloads: figures.calls > 0 ? figures.reloads / figures.calls : null,
    response: figures.responseMs?.p50 ?? null,
  };
}

function nameOf(error: unknown): string {
  if (OptimizerError.isInstance(error)) return error.code;
  return error instanceof Error ? error.name : typeof error;
}
