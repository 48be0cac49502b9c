/** A bounded sample of a series in its order: every so-many-th value, without randomness. */

/**
 * Keeps every value until there are `capacity`, then every second one, every fourth and so on: between half of the
 * capacity and all of it, spread evenly over the series.
 *
 * @example
 * const sample = new Thinned<number>(4);
 * for (let value = 0; value < 10; value++) sample.push(value);
 * sample.values // [0, 4, 8]
 */
export class Thinned<T> {
  private stride = 1;
  private seen = 0;
  values: T[] = [];

  constructor(private readonly capacity: number) {}

  push(value: T): void {
    if (this.seen++ % this.stride !== 0) return;
    if (this.values.length === this.capacity) {
      this.values = this.values.filter((_, index) => index % 2 === 0);
      this.stride *= 2;
      if ((this.seen - 1) % this.stride !== 0) return;
    }
    this.values.push(value);
  }

  /** Values offered so far. */
  get count(): number {
    return this.seen;
  }
}
