/**
 * Whose turn it is on a loaded model. A call that would reload it waits until nobody uses it; others go at once, so
 * that two clients with windows of their own do not make Ollama load the model anew for each call of theirs.
 *
 * Fair: a runner keeps its turn for a few times what its load took, then newcomers wait too, and the client that
 * was served longest ago is next, with everyone whom its runner suits. Calls of one template leave side by side:
 * Ollama's prefix cache serves the second.
 */
import type { Asking } from "../engine/types.js";
import { OptimizerError } from "../errors.js";

export interface TurnOptions {
  /** Calls that may wait for one model. */
  readonly maxWaiting: number;
  /** Milliseconds after which a call that still waits is refused. */
  readonly maxWaitMs: number;
}

/** Too many wait already (`QUEUE_FULL`), or this call waited too long (`QUEUE_TIMEOUT`). Nothing was sent. */
export class QueueError extends OptimizerError {
  override name = "QueueError";

  constructor(
    code: "QUEUE_FULL" | "QUEUE_TIMEOUT",
    message: string,
    /** When to call again. */
    readonly retryAfterSeconds: number,
  ) {
    super({ code, message, remedy: "Call again later, or let clients leave num_ctx out." });
  }
}

/** Of the time that a model is wanted with several windows, at most a fifth goes into loading it. */
const TENURE_LOADS = 4;
/** Share of a load's time for which an idle runner is kept for its client's next call. */
const LINGER_LOADS = 0.25;
const LONGEST_LINGER_MS = 1_000;
/** Until a load was seen. */
const ASSUMED_LOAD_MS = 1_000;

interface Waiting extends Asking {
  readonly client: string;
  go(): void;
}

interface Slot {
  running: number;
  /** In the order they came. */
  waiting: Waiting[];
  loadMs: number;
  /** When the present runner answered first; null while it loads. */
  since: number | null;
  /** By client: the number of its latest turn, while anybody waits. */
  readonly served: Map<string, number>;
  /** Of the call that was let go last. */
  template: string | null;
  /** Ends the wait for the next call of an idle runner's client. */
  linger: NodeJS.Timeout | null;
  hasLingered: boolean;
  /** Somebody was let go and is not decided yet. */
  isLeaving: boolean;
}

/** A call's right to be on its way, from its question to its end. */
export interface Turn {
  /**
   * @returns null: go at once
   * @throws QueueError, or the signal's reason, by the promise
   */
  ask(asking: Asking): Promise<void> | null;
  /** The first line of the reply came. */
  answered(): void;
  /** @param loadMs what the load for this call took; null when none was needed */
  end(loadMs: number | null): void;
}

export class Turns {
  private readonly slots = new Map<string, Slot>();
  private turns = 0;
  private waiting = 0;

  /** @param onChange gets the number of calls that wait, over all models */
  constructor(
    private readonly options: TurnOptions,
    private readonly now: () => number,
    private readonly onChange: (waiting: number) => void = () => {},
  ) {}

  /** @param client whoever asks: clients take turns with one another */
  turn(client: string, signal: AbortSignal | undefined): Turn {
    let slot: Slot | null = null;
    return {
      ask: (asking) => {
        const asked = this.slotOf(asking.slotId);
        if (this.mayGo(asked, asking)) {
          asked.running++;
          slot = asked;
          return null;
        }
        return this.wait(asked, { ...asking, client }, signal).then(() => {
          slot = asked;
        });
      },
      answered: () => {
        if (slot) slot.since ??= this.now();
      },
      end: (loadMs) => {
        if (!slot) return;
        const left = slot;
        slot = null;
        left.running--;
        left.since ??= this.now();
        if (loadMs !== null) left.loadMs = loadMs;
        this.advance(left);
      },
    };
  }

  private slotOf(id: string): Slot {
    let slot = this.slots.get(id);
    if (!slot) {
      slot = {
        running: 0,
        waiting: [],
        loadMs: ASSUMED_LOAD_MS,
        since: null,
        served: new Map(),
        template: null,
        linger: null,
        hasLingered: false,
        isLeaving: false,
      };
      this.slots.set(id, slot);
    }
    return slot;
  }

  private mayGo(slot: Slot, asking: Asking): boolean {
    if (slot.isLeaving) return false;
    const wouldReload = asking.wouldReload();
    if (slot.running === 0 && slot.waiting.length === 0) {
      if (wouldReload) slot.since = null;
      return true;
    }
    return !wouldReload && (slot.waiting.length === 0 || !this.isTenureOver(slot));
  }

  private isTenureOver({ since, loadMs }: Slot): boolean {
    return since !== null && this.now() - since > TENURE_LOADS * loadMs;
  }

  private wait(slot: Slot, asking: Omit<Waiting, "go">, signal: AbortSignal | undefined): Promise<void> {
    const { maxWaiting, maxWaitMs } = this.options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (slot.waiting.length >= maxWaiting) {
      const text = `${maxWaiting} calls wait for this model already`;
      return Promise.reject(new QueueError("QUEUE_FULL", text, this.retryAfterSeconds(slot)));
    }
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      const refuse = (error: unknown): void => {
        stop();
        this.remove(slot, entry);
        reject(error);
        this.advance(slot);
      };
      const abort = (): void => refuse(signal!.reason);
      const timer = setTimeout(() => {
        const text = `This call waited ${maxWaitMs / 1_000} s for its turn: the model is in use with another window`;
        refuse(new QueueError("QUEUE_TIMEOUT", text, this.retryAfterSeconds(slot)));
      }, maxWaitMs);
      const entry: Waiting = {
        ...asking,
        go: () => {
          stop();
          resolve();
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      slot.waiting.push(entry);
      this.onChange(++this.waiting);
      this.advance(slot);
    });
  }

  /** Lets everyone go whose turn it is. */
  private advance(slot: Slot): void {
    if (slot.isLeaving) return;
    if (slot.waiting.length === 0) {
      slot.served.clear();
      this.endLinger(slot);
      return;
    }
    if (!this.isTenureOver(slot)) {
      const suited = slot.waiting.filter(({ wouldReload }) => !wouldReload());
      for (const entry of besideTheirTemplate(suited, slot.template)) this.letGo(slot, entry);
    }
    if (slot.running > 0 || slot.waiting.length === 0) {
      this.endLinger(slot);
      return;
    }
    if (!this.isTenureOver(slot) && !slot.hasLingered) {
      slot.linger ??= setTimeout(
        () => {
          slot.linger = null;
          slot.hasLingered = true;
          this.advance(slot);
        },
        Math.min(LONGEST_LINGER_MS, LINGER_LOADS * slot.loadMs),
      );
      return;
    }
    this.endLinger(slot);
    slot.since = null;
    this.letGo(slot, this.next(slot));
    // Its decision comes in this turn of the event loop and tells whom its runner suits.
    slot.isLeaving = true;
    setImmediate(() => {
      slot.isLeaving = false;
      this.advance(slot);
    });
  }

  private endLinger(slot: Slot): void {
    if (slot.linger) clearTimeout(slot.linger);
    slot.linger = null;
    slot.hasLingered = false;
  }

  /** Of the client whose latest turn is longest ago, the call that came first. */
  private next({ waiting, served }: Slot): Waiting {
    const turnOf = ({ client }: Waiting): number => served.get(client) ?? 0;
    return waiting.reduce((best, entry) => (turnOf(entry) < turnOf(best) ? entry : best));
  }

  private letGo(slot: Slot, entry: Waiting): void {
    this.remove(slot, entry);
    slot.served.set(entry.client, ++this.turns);
    slot.template = entry.templateId;
    slot.running++;
    entry.go();
  }

  private remove(slot: Slot, entry: Waiting): void {
    const at = slot.waiting.indexOf(entry);
    if (at < 0) return;
    slot.waiting.splice(at, 1);
    this.onChange(--this.waiting);
  }

  /** Until the present runner's turn is over and another has loaded. */
  private retryAfterSeconds({ loadMs }: Slot): number {
    return Math.min(60, Math.max(1, Math.ceil(((TENURE_LOADS + 1) * loadMs) / 1_000)));
  }
}

/** In the order they came, but each call right behind the first one of its template, and `first` in front. */
function besideTheirTemplate(entries: readonly Waiting[], first: string | null): readonly Waiting[] {
  const groups = new Map<string | Waiting | null, Waiting[]>([[first, []]]);
  for (const entry of entries) {
    const key = entry.templateId ?? entry;
    const group = groups.get(key);
    if (group) group.push(entry);
    else groups.set(key, [entry]);
  }
  return [...groups.values()].flat();
}
