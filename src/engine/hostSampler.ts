/**
 * Load of this machine, sampled in the background while calls run: `cpu.usage()` of node-os-utils watches for
 * 200 ms without blocking, so it is never on the way of a call.
 */
import { OSUtils } from "node-os-utils";
import type { RequestRecord } from "../records.js";
import { type GpuSample, sampleGpus } from "./gpus.js";

export type HostSample = NonNullable<RequestRecord["host"]>;

const SAMPLE_MS = 10_000;

export class HostSampler {
  private readonly utils = new OSUtils();
  private sampledAt = Number.NEGATIVE_INFINITY;
  private latest: HostSample | undefined;

  /** Once none was found none is looked for: a card is not put in while a program runs. */
  private hasGpus = true;

  constructor(
    private readonly now: () => number,
    private readonly gpus: () => Promise<readonly GpuSample[]> = sampleGpus,
  ) {}

  /** The last sample, and a new one in the background when it is due. */
  sample(): HostSample | undefined {
    const now = this.now();
    if (now - this.sampledAt >= SAMPLE_MS) {
      this.sampledAt = now;
      void this.take().catch(() => {});
    }
    return this.latest;
  }

  private async take(): Promise<void> {
    const [cpu, memory, gpus] = await Promise.all([
      this.utils.cpu.usage(),
      this.utils.memory.info(),
      this.hasGpus ? this.gpus() : [],
    ]);
    this.hasGpus = gpus.length > 0;
    if (!cpu.success || !memory.success) return;
    this.latest = {
      cpuPercent: cpu.data,
      memoryUsedBytes: memory.data.used.toBytes(),
      memoryTotalBytes: memory.data.total.toBytes(),
      ...(gpus.length > 0 && { gpus }),
    };
  }
}
