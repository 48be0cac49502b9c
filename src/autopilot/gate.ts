/** Lets a limited number of calls run at once; the others wait in the order they came. */
export class Gate {
  private most: number | null;
  private running = 0;
  private peak = 0;
  private readonly waiting: (() => void)[] = [];

  /** @param limit calls at once, 1 or more; null: any number */
  constructor(limit: number | null = null) {
    this.most = limit;
  }

  get limit(): number | null {
    return this.most;
  }

  /** Takes effect at once for those that wait; what runs goes on. */
  set limit(limit: number | null) {
    this.most = limit;
    this.proceed();
  }

  /** Most calls at once so far. */
  get busiest(): number {
    return this.peak;
  }

  /**
   * @param signal ends the waiting; what has begun is the work's own to end
   * @throws the signal's reason, and what the work throws
   * @example await new Gate(2).run(async () => "done") // "done"
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.enter(signal);
    try {
      return await work();
    } finally {
      this.running--;
      this.proceed();
    }
  }

  private async enter(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.waiting.length === 0 && this.isOpen()) {
      this.begin();
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener("abort", leave);
        this.begin();
        resolve();
      };
      const leave = (): void => {
        this.waiting.splice(this.waiting.indexOf(enter), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.waiting.push(enter);
    });
  }

  private isOpen(): boolean {
    return this.most === null || this.running < this.most;
  }

  private begin(): void {
    this.running++;
    this.peak = Math.max(this.peak, this.running);
  }

  private proceed(): void {
    while (this.waiting.length > 0 && this.isOpen()) this.waiting.shift()?.();
  }
}
