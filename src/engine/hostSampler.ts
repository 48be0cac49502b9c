/**
 * Load of this machine, sampled in the background while calls run: `cpu.usage()` of node-os-utils watches for
 * 200 ms without blocking, so it is never on the way of a call.
 */
import { OSUtils } from "node-os-utils";

export interface HostSample {
  readonly cpuPercent: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
}

const SAMPLE_MS = 10_000;

export class HostSampler {
  private readonly utils = new OSUtils();
  private sampledAt = Number.NEGATIVE_INFINITY;
  private latest: HostSample | undefined;

  constructor(private readonly now: () => number) {}

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
    const [cpu, memory] = await Promise.all([this.utils.cpu.usage(), this.utils.memory.info()]);
    if (!cpu.success || !memory.success) return;
    this.latest = {
      cpuPercent: cpu.data,
      memoryUsedBytes: memory.data.used.toBytes(),
      memoryTotalBytes: memory.data.total.toBytes(),
    };
  }
}
