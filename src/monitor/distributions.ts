/**
 * A few distributions together. Most spans of time of most templates hold few calls: up to 192 values they are a
 * list, 12 bytes a value; beyond, a sketch each.
 */
import type { Histogram } from "../records.js";
import { Sketch } from "./sketch.js";

/** Values in the list before it costs more than sketches do. */
const MOST_LISTED = 192;
/** Above the largest bucket: a list's value is `metric * METRIC + bucket`. */
const METRIC = 1_024;
/** An array of V8 with the room it takes ahead, measured (Node 20). */
const LIST_BYTES = 64;
const VALUE_BYTES = 12;

export class Distributions {
  private list: number[] | null = [];
  private sketches: readonly Sketch[] = [];

  /** @param metrics how many */
  constructor(private readonly metrics: number) {}

  /** Memory held, in bytes. */
  get bytes(): number {
    if (this.list) return LIST_BYTES + VALUE_BYTES * this.list.length;
    return this.sketches.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * @param bucket as `bucketOf` tells
   * @returns by how many bytes they grew
   */
  add(metric: number, bucket: number, count: number = 1): number {
    const { list } = this;
    if (list === null) return this.sketches[metric]!.add(bucket, count);
    if (count === 1 && list.length < MOST_LISTED) {
      list.push(metric * METRIC + bucket);
      return VALUE_BYTES;
    }
    const before = this.bytes;
    this.unlist(list);
    this.sketches[metric]!.add(bucket, count);
    return this.bytes - before;
  }

  /** @returns by how many bytes the sum grew */
  addTo(sum: Distributions): number {
    let grown = 0;
    for (const value of this.list ?? []) grown += sum.add(Math.floor(value / METRIC), value % METRIC);
    for (const [metric, sketch] of this.sketches.entries()) {
      sketch.forEach((bucket, count) => {
        grown += sum.add(metric, bucket, count);
      });
    }
    return grown;
  }

  histogram(metric: number): Histogram {
    if (this.list === null) return this.sketches[metric]!.histogram();
    const histogram: Record<string, number> = {};
    for (const value of this.list) {
      const bucket = value % METRIC;
      if (Math.floor(value / METRIC) === metric) histogram[bucket] = (histogram[bucket] ?? 0) + 1;
    }
    return histogram;
  }

  private unlist(list: readonly number[]): void {
    this.list = null;
    this.sketches = Array.from({ length: this.metrics }, () => new Sketch());
    for (const value of list) this.sketches[Math.floor(value / METRIC)]!.add(value % METRIC);
  }
}
