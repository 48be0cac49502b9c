/** The steps of a calibration, and what they have measured so far. */
import { trainedNumCtx } from "../backend/ollama.js";
import { incompleteReply } from "../backend/refusal.js";
import type { WireModel, WireShow } from "../backend/wire.js";
import { OptimizerError } from "../errors.js";
import { chooseBatch } from "../optimizer/batch.js";
import { rungAtMost } from "../optimizer/ladder.js";
import { type MemoryPoint, memoryLine, predictedBytes } from "../optimizer/memoryModel.js";
import { isReload } from "../optimizer/reload.js";
import type { RunnerOptions } from "../records.js";
import { candidateBatches, isSure, predictedBatchBytes, undecided } from "./batchSearch.js";
import { type CalibratedBatch, type Calibration, isShareNarrow, uncertain } from "./calibration.js";
import { type Estimate, estimate } from "./estimate.js";
import { cacheBytesPerToken, maskBytesPerToken } from "./keyValueCache.js";
import { inUse, type Load, type ModelRunner, type Reading } from "./modelRunner.js";
import { prose } from "./prose.js";
import { isSpilled, largestGood, nextWindow } from "./windowSearch.js";

/** What a run needs of the world around it. */
export interface RunContext {
  /** How long it may take, milliseconds; putting back what was loaded comes on top. */
  readonly budgetMs: number;
  /** Bytes of main memory that are free now, and all of it; null for a machine that cannot be seen. */
  readonly memory: () => { readonly freeBytes: number; readonly totalBytes: number } | null;
  /** Milliseconds since the epoch, and uniform in [0, 1). */
  readonly now: () => number;
  readonly random: () => number;
  /** Told what is measured now, and which share of the time is over. */
  readonly onStep?: (step: string, share: number) => void;
}

/** The window that rates are measured with: Ollama's default on small machines. */
const FIRST_WINDOW = 4096;
/** Prompts shorter than this say little about a rate; longer than this, nothing more about batches. */
const PROMPT_TOKENS = { least: 288, most: 2304 };
const FIRST_WORDS = 60;
/** Read after each load, before anything is measured. */
const WARMING_TOKENS = 16;
/** Shares of the time after which rates, and then windows, are measured no more. */
const BATCHES_UNTIL = 0.6;
const WINDOWS_UNTIL = 0.85;
/** Readings of a batch after each load of it. */
const READINGS = 2;
/** What a typical calibration reads: so many batches, so often. A reading may take its share of the time. */
const TYPICAL_READINGS = 36;
const PREFIX_PAIRS = { least: 3, most: 8 };
const MOST_DISTURBANCES = 8;
/** Memory that is left alone: for whatever else runs. */
const RESERVE = { bytes: 2 ** 30, share: 0.1 };

export class CalibrationRun {
  private readonly loads: number[] = [];
  private readonly warmLoads: number[] = [];
  private readonly points = new Map<string, MemoryPoint>();
  private readonly rates = new Map<number, number[]>();
  private readonly prefix: { coldMs: number; warmMs: number }[] = [];
  private readonly window: number;
  private readonly trained: number | null;
  private readonly cacheBytes: number | null;
  private candidates: readonly number[] = [];
  private tokensPerWord = 1;
  private promptTokens = 0;
  private disturbed = 0;
  private largest: Calibration["largestWindow"] = { numCtx: 0, limit: "time" };
  private failed: number | null = null;
  private check: Calibration["check"] = null;

  constructor(
    private readonly context: RunContext,
    private readonly installed: WireModel,
    facts: WireShow,
    private readonly runner: ModelRunner,
    private readonly start: number,
  ) {
    this.trained = trainedNumCtx(facts);
    this.cacheBytes = cacheBytesPerToken(facts.model_info);
    this.window = Math.min(FIRST_WINDOW, this.trained ?? FIRST_WINDOW);
  }

  /** @param mayLoad whether the first load surely does no harm, or nothing can be said of it: GPU memory is not seen */
  async measure(mayLoad: boolean): Promise<void> {
    if (!mayLoad) this.assertRoom();
    await this.firstLoad();
    await this.batches();
    await this.windows();
    await this.prefixCache();
  }

  private get share(): number {
    return (this.context.now() - this.start) / this.context.budgetMs;
  }

  private step(text: string): void {
    this.context.onStep?.(text, this.share);
  }

  /** Bytes that may be used beyond what is loaded now; null when nobody knows. */
  private spareBytes(): number | null {
    const memory = this.context.memory();
    if (!memory) return null;
    return memory.freeBytes - Math.max(RESERVE.bytes, RESERVE.share * memory.totalBytes);
  }

  private assertRoom(): void {
    const spare = this.spareBytes();
    const wanted = (this.installed.size ?? 0) + (this.cacheBytes ?? 0) * this.window;
    if (spare === null || wanted <= spare) return;
    const mega = (bytes: number): string =>
      `${Math.max(0, Math.round(bytes / 1e6)).toLocaleString("en-US")} MB`;
    throw new OptimizerError({
      code: "MEMORY_SHORT",
      message: `${this.installed.name} needs about ${mega(wanted)}, and ${mega(spare)} can be spared`,
      remedy: "Unload other models (`ollama stop`), close other programs, or calibrate a smaller model.",
    });
  }

  private async load(options: RunnerOptions): Promise<Load> {
    const load = await this.runner.load(options);
    // A runner that had these options already was not loaded.
    if (isReload(load.loadMs, this.warmLoads, this.loads)) this.loads.push(load.loadMs);
    const { loadMs: _loadMs, ...point } = load;
    this.points.set(`${point.numCtx} ${point.numBatch}`, point);
    return load;
  }

  /** A reading; null when it tells nothing: another program had loaded the model anew, or the figures were missing. */
  private async read(prompt: string, options: RunnerOptions): Promise<Reading | null> {
    const reading = await this.runner.read(prompt, options);
    if (reading && !isReload(reading.loadMs, this.warmLoads, this.loads)) {
      this.warmLoads.push(reading.loadMs);
      return reading;
    }
    this.disturbed++;
    // A machine that stalls delays a warm call now and then; a program that fights spoils most of them.
    if (this.disturbed <= Math.max(MOST_DISTURBANCES, this.warmLoads.length)) return null;
    throw reading ? inUse(this.installed.name) : incompleteReply(this.installed.name);
  }

  private words(tokens: number): string {
    return prose(Math.round(tokens / this.tokensPerWord), this.context.random);
  }

  private async firstLoad(): Promise<void> {
    this.step(`loading with a window of ${this.window}`);
    const options = { num_ctx: this.window };
    await this.load(options);
    // The first reading touches weights that lie on disk still; a later one tells the rate.
    let reading: Reading | null = await this.read(prose(FIRST_WORDS, this.context.random), options);
    do reading = await this.read(prose(FIRST_WORDS, this.context.random), options);
    while (!reading);
    this.tokensPerWord = Math.max(0.25, reading.tokens / FIRST_WORDS);
    const rate = reading.tokens / reading.promptMs;
    const readingMs = (BATCHES_UNTIL * this.context.budgetMs) / TYPICAL_READINGS;
    const { least, most } = PROMPT_TOKENS;
    this.promptTokens = Math.round(
      Math.min(Math.max(rate * readingMs, least), most, this.window - FIRST_WORDS),
    );
  }

  private async batches(): Promise<void> {
    this.candidates = candidateBatches(this.promptTokens).filter((batch) => batch <= this.window);
    for (let round = 0; ; round++) {
      const open = round === 0 ? this.candidates : undecided(this.measured());
      if (open.length === 0) return;
      // Up and down again, so that a machine that warms up favours none.
      for (const numBatch of round % 2 === 0 ? open : open.toReversed()) {
        if (this.share >= BATCHES_UNTIL) return;
        await this.batch(numBatch);
      }
    }
  }

  private async batch(numBatch: number): Promise<void> {
    this.step(`reading ${this.promptTokens} tokens with a batch of ${numBatch}`);
    const isNew = !this.points.has(`${this.window} ${numBatch}`);
    if (isNew && !this.hasRoomFor(numBatch)) {
      this.candidates = this.candidates.filter((batch) => batch < numBatch);
      return;
    }
    const options = { num_ctx: this.window, num_batch: numBatch };
    await this.load(options);
    await this.read(this.words(WARMING_TOKENS), options);
    const rates = this.rates.get(numBatch) ?? [];
    this.rates.set(numBatch, rates);
    for (let index = 0; index < READINGS; index++) {
      const reading = await this.read(this.words(this.promptTokens), options);
      if (reading) rates.push((1000 * reading.tokens) / reading.promptMs);
    }
  }

  private hasRoomFor(numBatch: number): boolean {
    const spare = this.spareBytes();
    const sizes = [...this.points.values()].flatMap(({ numCtx, numBatch: batch, sizeBytes }) =>
      numCtx === this.window && batch !== null ? [{ numBatch: batch, sizeBytes }] : [],
    );
    if (spare === null || sizes.length === 0) return true;
    const current = Math.max(...sizes.map(({ sizeBytes }) => sizeBytes));
    return predictedBatchBytes(sizes, numBatch) - current <= spare;
  }

  private measured(): CalibratedBatch[] {
    return [...this.rates].flatMap(([numBatch, values]) => {
      const rate = estimate(values);
      const sizeBytes = this.points.get(`${this.window} ${numBatch}`)!.sizeBytes;
      return rate ? [{ numBatch, rate, sizeBytes }] : [];
    });
  }

  private chosen(): number | null {
    const evidence = this.measured().map(({ numBatch, rate, sizeBytes }) => ({
      numBatch,
      promptTokensPerSecond: rate.value,
      sizeBytes,
    }));
    return chooseBatch(evidence, false) ?? null;
  }

  private optionsFor(numCtx: number): RunnerOptions {
    const numBatch = this.chosen();
    return { num_ctx: numCtx, ...(numBatch === null ? {} : { num_batch: Math.min(numBatch, numCtx) }) };
  }

  /** Loads with the chosen batch, in the order of their windows' search. */
  private pointsOf(numBatch: number | null): MemoryPoint[] {
    return [...this.points.values()].filter((point) => point.numBatch === numBatch);
  }

  private async windows(): Promise<void> {
    const numBatch = this.chosen();
    const half = rungAtMost(this.window / 2);
    if (half >= (numBatch ?? 0)) {
      this.step(`loading with a window of ${half}`);
      await this.load(this.optionsFor(half));
    }
    // Last: memory that is free from here on is free beside this load.
    await this.load(this.optionsFor(this.window));
    const loaded = this.pointsOf(numBatch).sort((a, b) => a.numCtx - b.numCtx);
    for (;;) {
      const step = nextWindow({
        loaded,
        failed: this.failed,
        trainedNumCtx: this.trained,
        spareBytes: this.spareBytes(),
      });
      const limit = "limit" in step ? step.limit : this.share >= WINDOWS_UNTIL ? "time" : null;
      if (limit !== null || "limit" in step) {
        this.largest = { numCtx: largestGood(loaded), limit: limit! };
        break;
      }
      this.step(`loading with a window of ${step.numCtx}`);
      const load = await this.unlessOutOfMemory(step.numCtx);
      if (load) loaded.push(load);
      else this.failed = Math.min(step.numCtx, this.failed ?? Number.POSITIVE_INFINITY);
    }
    await this.checkLine(numBatch);
  }

  private async unlessOutOfMemory(numCtx: number): Promise<Load | null> {
    try {
      return await this.load(this.optionsFor(numCtx));
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code === "OUT_OF_MEMORY" || code === "RUNNER_CRASHED" || code === "LOAD_TIMEOUT") return null;
      throw error;
    }
  }

  /** Loads a window among those that made the line, where doubling left the widest gap. */
  private async checkLine(numBatch: number | null): Promise<void> {
    const points = this.pointsOf(numBatch);
    const line = memoryLine(points, numBatch);
    const windows = points.map(({ numCtx }) => numCtx);
    const numCtx = rungAtMost(0.75 * Math.max(...windows));
    if (!line || windows.includes(numCtx)) return;
    this.step(`loading with a window of ${numCtx}`);
    const { sizeBytes } = await this.load(this.optionsFor(numCtx));
    this.check = { numCtx, predictedBytes: predictedBytes(line, numCtx), measuredBytes: sizeBytes };
  }

  private async prefixCache(): Promise<void> {
    const options = this.optionsFor(this.window);
    await this.load(options);
    while (this.prefix.length < PREFIX_PAIRS.most && this.share < 1) {
      const left = this.leftShare();
      if (left && this.prefix.length >= PREFIX_PAIRS.least && isShareNarrow(left)) return;
      this.step(`reading a prompt of ${this.promptTokens} tokens twice`);
      const prompt = this.words(this.promptTokens - FIRST_WORDS);
      const cold = await this.read(prompt, options);
      const warm = cold && (await this.read(`${prompt} ${this.words(FIRST_WORDS / 4)}`, options));
      if (warm) this.prefix.push({ coldMs: cold.promptMs, warmMs: warm.promptMs });
    }
  }

  /** A server whose sizes depend on the batch counts its buffers. */
  private formulaBytes(batches: readonly CalibratedBatch[], numBatch: number | null): number | null {
    if (this.cacheBytes === null || numBatch === null) return this.cacheBytes;
    const countsBuffers = new Set(batches.map(({ sizeBytes }) => sizeBytes)).size > 1;
    return this.cacheBytes + (countsBuffers ? maskBytesPerToken(numBatch) : 0);
  }

  private leftShare(): Estimate | null {
    return estimate(this.prefix.map(({ coldMs, warmMs }) => warmMs / coldMs));
  }

  result(blob: string, otherBytes: number): Omit<Calibration, "notRestored" | "tookMs"> {
    const leftShare = this.leftShare();
    const batches = this.measured();
    const numBatch = this.chosen();
    const loadMs = estimate(this.loads);
    return {
      model: this.installed.name,
      digest: this.installed.digest,
      blob,
      trainedNumCtx: this.trained,
      loadMs,
      loads: this.loads,
      warmLoads: this.warmLoads,
      promptTokens: this.promptTokens,
      batches,
      numBatch,
      isBatchSure: batches.length === this.candidates.length && isSure(batches),
      memory: [...this.points.values()],
      line: memoryLine(
        this.pointsOf(numBatch).filter((point) => !isSpilled(point)),
        numBatch,
      ),
      check: this.check,
      formulaBytesPerToken: this.formulaBytes(batches, numBatch),
      largestWindow: this.largest,
      ceiling: this.failed === null ? null : { numCtx: this.failed, otherBytes },
      prefixCache: leftShare && {
        coldMs: estimate(this.prefix.map(({ coldMs }) => coldMs))!.value,
        warmMs: estimate(this.prefix.map(({ warmMs }) => warmMs))!.value,
        leftShare,
      },
      uncertain: uncertain(batches, this.candidates.length, loadMs, leftShare),
      disturbed: this.disturbed,
    };
  }
}
