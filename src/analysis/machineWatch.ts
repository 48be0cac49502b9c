/** Watches the machine that the records of a server come from: memory and CPU far above their mean, and leaks. */
import type { Call } from "./call.js";
import { monotony } from "./mannKendall.js";
import type { Anomaly, AnomalyMetric } from "./types.js";
import { bytes, CAUSE_WORDS } from "./words.js";

/** The rule: above 1.5 x the mean. */
const FACTOR = 1.5;
/** From one fifth of a core's load to one third is no event. */
const LEAST_CPU_EXCESS = 10;
/** Samples that the mean is taken of, and before anything is judged. */
const WINDOW = 256;
const MINIMUM = 20;
/** CPU use over 200 ms jumps: one sample says nothing. */
const IN_A_ROW = 2;

/** A leak is looked for in so many samples, whenever so many are new. */
const LEAK_SAMPLES = 128;
const LEAK_EVERY = 8;
const LEAK_P = 0.001;
const LEAK_TAU = 0.6;
/** Growth that matters, of the memory in use at first. */
const LEAK_GROWTH = 0.1;
/** A model that is loaded makes one step of it all; a leak makes many. */
const LARGEST_STEP = 0.4;

type Resource = Extract<AnomalyMetric, "memoryBytes" | "cpuPercent">;

const NOTHING: readonly Anomaly[] = [];

/** One measure against its mean. */
class Level {
  private readonly values: number[] = [];
  private sum = 0;
  private above = 0;
  private toldAt = 0;

  constructor(
    private readonly leastExcess: number,
    private readonly againMs: number,
  ) {}

  /** @returns the mean, when the value begins to be far above it, and now and then while it stays there */
  push(value: number, at: number): number | null {
    const count = this.values.length;
    const mean = this.sum / count;
    const isAbove = count >= MINIMUM && value > FACTOR * mean && value - mean >= this.leastExcess;
    this.above = isAbove ? this.above + 1 : 0;
    this.values.push(value);
    this.sum += value - (this.values.length > WINDOW ? this.values.shift()! : 0);
    const isTold = this.above === IN_A_ROW || (this.above > IN_A_ROW && at - this.toldAt >= this.againMs);
    if (!isTold) return null;
    this.toldAt = at;
    return mean;
  }
}

export class MachineWatch {
  private readonly memory: Level;
  private readonly cpu: Level;
  private samples: { readonly at: number; readonly bytes: number }[] = [];
  private sinceLook = 0;
  private leakedTo: number | null = null;
  private last: { readonly memoryUsedBytes: number; readonly cpuPercent: number } = {
    memoryUsedBytes: -1,
    cpuPercent: -1,
  };

  /** @param againMs what stays far above its mean is told again after so long */
  constructor(
    private readonly serverId: string,
    againMs: number,
  ) {
    this.memory = new Level(0, againMs);
    this.cpu = new Level(LEAST_CPU_EXCESS, againMs);
  }

  take({ record, at }: Call): readonly Anomaly[] {
    const { host } = record;
    if (!host) return NOTHING;
    // One sample stands on all records of ten seconds.
    if (host.memoryUsedBytes === this.last.memoryUsedBytes && host.cpuPercent === this.last.cpuPercent)
      return NOTHING;
    this.last = host;
    const found: Anomaly[] = [];
    const memoryMean = this.memory.push(host.memoryUsedBytes, at);
    if (memoryMean !== null) {
      const text = `Memory in use is ${bytes(host.memoryUsedBytes)}, more than ${FACTOR} x its mean of ${bytes(memoryMean)}.`;
      found.push(this.anomaly("memoryBytes", record.at, memoryMean, host.memoryUsedBytes, text));
    }
    const cpuMean = this.cpu.push(host.cpuPercent, at);
    if (cpuMean !== null) {
      const text = `CPU use is ${Math.round(host.cpuPercent)} %, more than ${FACTOR} x its mean of ${Math.round(cpuMean)} %.`;
      found.push(this.anomaly("cpuPercent", record.at, cpuMean, host.cpuPercent, text));
    }
    const leak = this.leak(at, record.at, host.memoryUsedBytes);
    if (leak) found.push(leak);
    return found;
  }

  private anomaly(metric: Resource, at: string, expected: number, found: number, text: string): Anomaly {
    return {
      key: JSON.stringify(["resource", metric, this.serverId]),
      kind: "resource",
      metric,
      group: null,
      at,
      noticedAt: at,
      requestId: null,
      expected,
      found,
      ratio: found / expected,
      direction: "worse",
      score: found / expected,
      cause: metric === "cpuPercent" ? "busyMachine" : null,
      text,
    };
  }

  private leak(at: number, noticedAt: string, used: number): Anomaly | null {
    this.samples.push({ at, bytes: used });
    if (this.samples.length > LEAK_SAMPLES) this.samples.shift();
    if (++this.sinceLook < LEAK_EVERY || this.samples.length < MINIMUM) return null;
    this.sinceLook = 0;
    const first = this.samples[0]!;
    const growth = used - first.bytes;
    // What was told is told again when it has grown by as much once more.
    if (growth < LEAK_GROWTH * (this.leakedTo ?? first.bytes)) return null;
    if (this.leakedTo !== null && used < (1 + LEAK_GROWTH) * this.leakedTo) return null;
    const values = this.samples.map((sample) => sample.bytes);
    const largestStep = Math.max(...values.slice(1).map((value, index) => value - values[index]!));
    if (largestStep > LARGEST_STEP * growth) return null;
    const { p, tau, slope } = monotony(
      this.samples.map((sample) => sample.at),
      values,
    );
    if (p > LEAK_P || tau < LEAK_TAU) return null;
    this.leakedTo = used;
    return {
      key: JSON.stringify(["memoryGrowth", this.serverId]),
      kind: "memoryGrowth",
      metric: "memoryBytes",
      group: null,
      at: new Date(first.at).toISOString(),
      noticedAt,
      requestId: null,
      expected: first.bytes,
      found: used,
      ratio: used / first.bytes,
      direction: "worse",
      score: -Math.log10(p),
      cause: "memoryLeak",
      text: `Memory in use grew from ${bytes(first.bytes)} to ${bytes(used)} without coming back (${bytes(slope * 3_600_000)} an hour): ${CAUSE_WORDS.memoryLeak}.`,
    };
  }
}
