/**
 * The classic rule as an option: more than three standard deviations above the mean of the values before, on plain
 * scale. Spikes widen the very spread that they are judged by (masking), which is why it is not the default.
 */
import type { Verdict, Watch } from "./levelWatch.js";

const SIGMAS = 3;

export class ThreeSigma implements Watch {
  private readonly ring: number[] = [];
  private next = 0;
  private sum = 0;
  private squares = 0;

  constructor(
    private readonly window: number,
    private readonly minimum: number,
  ) {}

  get missing(): number {
    return Math.max(0, this.minimum - this.ring.length);
  }

  clear(): void {
    this.ring.length = 0;
    this.next = 0;
    this.sum = 0;
    this.squares = 0;
  }

  push(value: number): Verdict | null {
    const count = this.ring.length;
    const mean = this.sum / count;
    const deviation = Math.sqrt(Math.max(0, this.squares / count - mean * mean));
    const z = (value - mean) / deviation;
    const isSpike = count >= this.minimum && z > SIGMAS;
    const old = count < this.window ? 0 : this.ring[this.next]!;
    this.ring[this.next] = value;
    this.next = (this.next + 1) % this.window;
    this.sum += value - old;
    this.squares += value * value - old * old;
    return isSpike ? { spikes: [{ back: 0, z, expected: mean }], change: null } : null;
  }
}
