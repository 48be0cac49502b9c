/** Which models are loaded, how, and until when. One slot per blob of weights. */
import type { RunnerOptions } from "../records.js";
import { needsReload, runnerOptions, type WantedRunner } from "./callOptions.js";
import type { Clock } from "./clock.js";
import { type Engine, type EngineFailure, OutOfMemory, type Runner } from "./engine.js";
import type { Generation } from "./generation.js";
import { modelBytes, outOfMemoryText, type Placement, place } from "./memory.js";
import type { ServedModel } from "./model.js";
import type { Stopwatch } from "./stopwatch.js";
import { automaticBatch, effectiveWindow } from "./windows.js";

/** A loaded model. */
export interface Slot {
  /** The model that loaded it: the only name that `/api/ps` shows, though others share the blob. */
  readonly model: ServedModel;
  readonly runner: Runner;
  readonly loadedWith: WantedRunner;
  readonly numCtx: number;
  readonly numBatch: number;
  readonly placement: Placement;
  /** Milliseconds since 1970; Infinity for ever. Counts from the end of the last call. */
  expiresAt: number;
  keepAliveMs: number;
  /** Calls that hold it. */
  users: number;
  /** Generations wait here for each other: one slot, one at a time. */
  turn: Promise<void>;
}

/** One load, and why it had to be. */
export interface Load {
  readonly model: string;
  readonly options: RunnerOptions;
  /** The window it got. */
  readonly numCtx: number;
  readonly numBatch: number;
  readonly reason: "first" | "reload";
  readonly loadMs: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Set when it failed. */
  readonly error?: string;
  /** Models that had to go for it. */
  readonly evicted: readonly string[];
}

/** What the scheduler needs to know of its server. */
export interface SchedulerSettings {
  readonly engine: Engine;
  readonly generation: Generation;
  readonly clock: Clock;
  /** Bytes of main memory and of GPU memory. */
  readonly memoryBytes: number;
  readonly vramBytes: number;
}

/** What a call brings along. */
export interface Caller {
  readonly keepAliveMs: number | undefined;
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal;
  /** Asked before a load; an error fails it. */
  readonly failLoad: () => EngineFailure | undefined;
}

/** A slot in use. Always release it. */
export interface Lease {
  readonly slot: Slot;
  readonly loaded: boolean;
  release(): void;
}

const defaultKeepAliveMs = 5 * 60_000;

export class Scheduler {
  readonly loads: Load[] = [];
  private slots: Slot[] = [];
  /** Loads happen one after the other. */
  private loading: Promise<unknown> = Promise.resolve();

  constructor(private readonly settings: SchedulerSettings) {}

  /** Loaded models, the one that stays longest first, as `/api/ps` lists them. */
  loaded(): readonly Slot[] {
    this.removeExpired();
    return [...this.slots].sort((a, b) => b.expiresAt - a.expiresAt);
  }

  /**
   * A slot that does for `wanted`: the loaded one, or a new one after calls on the old have ended.
   *
   * @throws EngineFailure out of memory, or whatever a test asked to happen
   */
  async acquire(model: ServedModel, wanted: WantedRunner, call: Caller): Promise<Lease> {
    const loaded = this.take(model, wanted, call.keepAliveMs);
    if (loaded) {
      const { engine, generation } = this.settings;
      if (!engine.measures) await call.stopwatch.work(generation.warmLoadMs, call.signal);
      return loaded;
    }
    const loading = this.loading.then(
      () => this.take(model, wanted, call.keepAliveMs) ?? this.load(model, wanted, call),
    );
    this.loading = loading.catch(() => {});
    return loading;
  }

  /** `keep_alive: 0` with nothing to do: gone as soon as no call uses it. */
  unload(model: ServedModel): void {
    const slot = this.slots.find((candidate) => candidate.model.blob === model.blob);
    if (slot) this.expireAfterUse(slot, 0);
  }

  /** The runner died. */
  crashed(slot: Slot): void {
    this.remove(slot);
  }

  /** Out of memory while generating: every loaded model goes. */
  unloadAll(): void {
    for (const slot of [...this.slots]) this.expireAfterUse(slot, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.slots.map((slot) => slot.runner.close()));
    this.slots = [];
  }

  private take(model: ServedModel, wanted: WantedRunner, keepAliveMs: number | undefined): Lease | undefined {
    this.removeExpired();
    const slot = this.slots.find((candidate) => candidate.model.blob === model.blob);
    if (!slot || needsReload(slot.loadedWith, wanted, model, this.settings.generation)) return undefined;
    return this.lease(slot, keepAliveMs, false);
  }

  private lease(slot: Slot, keepAliveMs: number | undefined, loaded: boolean): Lease {
    slot.users++;
    if (keepAliveMs !== undefined) slot.keepAliveMs = keepAliveMs;
    let released = false;
    return {
      slot,
      loaded,
      release: () => {
        if (released) return;
        released = true;
        slot.users--;
        if (slot.users === 0) this.expireAfterUse(slot, slot.keepAliveMs);
      },
    };
  }

  private async load(model: ServedModel, wanted: WantedRunner, call: Caller): Promise<Lease> {
    const { clock, engine, generation } = this.settings;
    const before = call.stopwatch.elapsedMs;
    const old = this.slots.find((candidate) => candidate.model.blob === model.blob);
    if (old) {
      await idle(old);
      this.remove(old);
    }
    const evicted: string[] = [];
    let window = wanted.numCtx;
    try {
      const injected = call.failLoad();
      if (injected) throw injected;
      let size = this.size(model, wanted, window);
      let placement = this.tryPlace(size.bytes);
      while (this.slots.length > 0 && (!placement || placement.vramBytes < this.wantsVram(size.bytes))) {
        const victim = [...this.slots].sort((a, b) => a.users - b.users || a.expiresAt - b.expiresAt)[0]!;
        await idle(victim);
        this.remove(victim);
        evicted.push(victim.model.name);
        placement = this.tryPlace(size.bytes);
      }
      // Only a window that nobody set is lowered (0.30 and later); an explicit one fails.
      while (!placement && generation.remembersAuto && wanted.numCtxAuto && window > 4096) {
        window = window > 32_768 ? 32_768 : 4096;
        size = this.size(model, wanted, window);
        placement = this.tryPlace(size.bytes);
      }
      if (!placement) throw new OutOfMemory(outOfMemoryText(size.bytes, this.free().memoryBytes, generation));
      const { numCtx, numBatch } = size;
      const runner = await engine.load({
        model,
        numCtx,
        numBatch,
        options: runnerOptions(wanted),
        generation,
        clock,
      });
      if (!engine.measures) await call.stopwatch.work(model.loadMs, call.signal);
      const slot: Slot = {
        model,
        runner,
        loadedWith: {
          ...wanted,
          numCtx: generation.remembersAuto ? numCtx : wanted.numCtx,
          numBatch: generation.remembersAuto ? numBatch : wanted.numBatch,
        },
        numCtx,
        numBatch,
        placement: runner.sizeBytes ? (this.tryPlace(runner.sizeBytes) ?? placement) : placement,
        expiresAt: clock.now() + defaultKeepAliveMs,
        keepAliveMs: defaultKeepAliveMs,
        users: 0,
        turn: Promise.resolve(),
      };
      this.slots.push(slot);
      const lease = this.lease(slot, call.keepAliveMs, true);
      this.log(model, wanted, size, old !== undefined, call.stopwatch.elapsedMs - before, evicted);
      return lease;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.log(model, wanted, this.size(model, wanted, window), old !== undefined, 0, evicted, text);
      throw error;
    }
  }

  private log(
    model: ServedModel,
    wanted: WantedRunner,
    size: { readonly numCtx: number; readonly numBatch: number },
    reload: boolean,
    loadMs: number,
    evicted: readonly string[],
    error?: string,
  ): void {
    this.loads.push({
      model: model.name,
      options: runnerOptions(wanted),
      numCtx: size.numCtx,
      numBatch: size.numBatch,
      reason: reload ? "reload" : "first",
      loadMs,
      at: this.settings.clock.now(),
      evicted,
      ...(error === undefined ? {} : { error }),
    });
  }

  private size(
    model: ServedModel,
    wanted: WantedRunner,
    window: number,
  ): { readonly numCtx: number; readonly numBatch: number; readonly bytes: number } {
    const { generation } = this.settings;
    const numCtx = effectiveWindow(window, model.trainedNumCtx);
    const automatic = wanted.numBatchAuto && generation.remembersAuto;
    const numBatch = automatic ? automaticBatch(numCtx, generation, false) : wanted.numBatch;
    return { numCtx, numBatch, bytes: modelBytes(model, numCtx, Math.min(numBatch, numCtx), generation) };
  }

  private tryPlace(bytes: number): Placement | null {
    return place(bytes, this.free());
  }

  /** Ollama evicts others rather than spill, but not for what GPU memory could never hold. */
  private wantsVram(bytes: number): number {
    return this.settings.vramBytes > 0 ? Math.min(bytes, this.settings.vramBytes) : 0;
  }

  private free(): { readonly vramBytes: number; readonly memoryBytes: number } {
    let { vramBytes, memoryBytes } = this.settings;
    for (const { placement } of this.slots) {
      vramBytes -= placement.vramBytes;
      memoryBytes -= placement.sizeBytes - placement.vramBytes;
    }
    return { vramBytes, memoryBytes };
  }

  private expireAfterUse(slot: Slot, keepAliveMs: number): void {
    slot.keepAliveMs = keepAliveMs;
    slot.expiresAt = this.settings.clock.now() + keepAliveMs;
    if (keepAliveMs <= 0 && slot.users === 0) this.remove(slot);
  }

  /** Looked at whenever it could matter, so that no timer is needed. */
  private removeExpired(): void {
    const now = this.settings.clock.now();
    for (const slot of this.slots.filter(
      (candidate) => candidate.users === 0 && candidate.expiresAt <= now,
    )) {
      this.remove(slot);
    }
  }

  private remove(slot: Slot): void {
    if (!this.slots.includes(slot)) return;
    this.slots = this.slots.filter((other) => other !== slot);
    void slot.turn.then(() => slot.runner.close());
  }
}

/** Resolves when no call uses the slot. */
async function idle(slot: Slot): Promise<void> {
  while (slot.users > 0) {
    await slot.turn;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
