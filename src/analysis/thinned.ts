/** A bounded sample of a series in its order: every so-many-th value, without randomness. */

/**
 * Keeps every value until there are `capacity`, then every second one, every fourth and so on: between half of the
 * capacity and all of it, spread evenly over the series.
 *
 * @example
 * const sample = new Thinned<number>(4);
 * for (let value = 0; value < 10; value++) if (sample.isNext()) sample.push(value);
 * sample.values // [0, 4, 8]
 */
export class Thinned<T> {
  private stride = 1;
  values: T[] = [];
  /** Values offered so far. */
  count = 0;

  constructor(private readonly capacity: number) {}

  /** Counts a value, and tells whether it is one of those to {@link push}. */
  isNext(): boolean {
    const index = this.count++;
    if (index % this.stride !== 0) return false;
    if (this.values.length < this.capacity) return true;
    this.values = this.values.filter((_, each) => each % 2 === 0);
    this.stride *= 2;
    return index % this.stride === 0;
  }

  push(value: T): void {
    this.values.push(value);
  }
}
