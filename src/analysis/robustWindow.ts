/** The last values of a series, with centre and spread that outliers do not move. */

/** MAD x 1.4826 estimates the standard deviation of normal values (Rousseeuw and Croux 1993). */
const MAD_TO_SIGMA = 1.4826;
/** The spread is worked out again when one value in so many is new. */
const SPREAD_AGE = 16;
/** Most templates are rare: their windows stay small. */
const FIRST_CAPACITY = 32;

/**
 * A rolling window that is kept sorted: a new value costs a binary search and a move of at most `capacity` numbers,
 * the MAD a walk of half the window outward from the median.
 *
 * @example
 * const values = new RobustWindow(5);
 * for (const value of [1, 2, 3, 4, 900]) values.push(value);
 * values.median // 3
 * values.sigma // 1.765
 */
export class RobustWindow {
  private ring: Float64Array;
  private sorted: Float64Array;
  private next = 0;
  private sum = 0;
  private spread = Number.NaN;
  private age = 0;
  /** Values held. */
  count = 0;

  constructor(readonly capacity: number) {
    this.ring = new Float64Array(Math.min(capacity, FIRST_CAPACITY));
    this.sorted = new Float64Array(this.ring.length);
  }

  push(value: number): void {
    const { sorted } = this;
    const at = this.place(value);
    if (this.count === this.capacity) {
      const old = this.ring[this.next]!;
      const from = this.place(old);
      // What lies between the old value's place and the new one's moves by one.
      if (at > from) sorted.copyWithin(from, from + 1, at);
      else sorted.copyWithin(at + 1, at, from);
      sorted[at > from ? at - 1 : at] = value;
      this.sum -= old;
    } else {
      if (this.count === this.ring.length) this.enlarge();
      this.sorted.copyWithin(at + 1, at, this.count);
      this.sorted[at] = value;
      this.count++;
    }
    this.ring[this.next] = value;
    this.next = (this.next + 1) % this.capacity;
    this.sum += value;
    if (++this.age > this.count / SPREAD_AGE) this.spread = Number.NaN;
  }

  clear(): void {
    this.count = 0;
    this.next = 0;
    this.sum = 0;
    this.spread = Number.NaN;
  }

  get mean(): number {
    return this.sum / this.count;
  }

  /** NaN when empty. */
  get median(): number {
    const middle = this.count >> 1;
    if (this.count % 2 === 1) return this.sorted[middle]!;
    return this.count === 0 ? Number.NaN : (this.sorted[middle - 1]! + this.sorted[middle]!) / 2;
  }

  /**
   * The value that this share of values does not exceed.
   *
   * @param share 0..1
   */
  quantile(share: number): number {
    return this.sorted[Math.min(this.count - 1, Math.floor(share * this.count))] ?? Number.NaN;
  }

  /** Standard deviation by the MAD, with the small-sample factor n / (n - 0.8) of Croux and Rousseeuw (1992). */
  get sigma(): number {
    if (Number.isNaN(this.spread)) {
      this.age = 0;
      this.spread = (MAD_TO_SIGMA * this.deviation() * this.count) / (this.count - 0.8);
    }
    return this.spread;
  }

  /** Median of the distances from the median: those are sorted already, on either side. */
  private deviation(): number {
    const { sorted, count, median } = this;
    let low = ((count + 1) >> 1) - 1;
    let high = low + 1;
    const lower = (count - 1) >> 1;
    let before = 0;
    for (let rank = 0; ; rank++) {
      const left = low >= 0 ? median - sorted[low]! : Number.POSITIVE_INFINITY;
      const right = high < count ? sorted[high]! - median : Number.POSITIVE_INFINITY;
      const distance = Math.min(left, right);
      if (left <= right) low--;
      else high++;
      if (rank === lower) before = distance;
      if (rank === count >> 1) return (before + distance) / 2;
    }
  }

  private enlarge(): void {
    const length = Math.min(this.capacity, 2 * this.ring.length);
    const [ring, sorted] = [this.ring, this.sorted];
    this.ring = new Float64Array(length);
    this.sorted = new Float64Array(length);
    this.ring.set(ring);
    this.sorted.set(sorted);
  }

  /** Index of the first value that is not smaller. */
  private place(value: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
