/** Which calls are running and how the latest ones ended, as live data for whoever looks: bounded, never stored. */
import { randomUUID } from "node:crypto";
import type { DecisionAction } from "../records.js";

/** Which API a call came in by. */
export type Surface = "ollama" | "openai";

/** A call under way. */
export interface RunningCall {
  readonly id: string;
  readonly model: string;
  readonly surface: Surface;
  /** The route as its client asked for it, e.g. `/v1/chat/completions`. */
  readonly path: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** "waiting": for its turn, for a load, or for its first token. */
  readonly phase: "waiting" | "answering";
  /** Window in tokens; this and the next three are null until the call is decided. */
  readonly numCtx: number | null;
  readonly action: DecisionAction | null;
  readonly templateId: string | null;
  readonly promptTokens: number | null;
}

/** What is known of a call when it comes. */
export type CallStart = Pick<RunningCall, "model" | "surface" | "path">;

/** A call that ended, however it did. Durations in milliseconds, counts in tokens, null when not known. */
export interface FinishedCall extends RunningCall {
  /** Of the decision, as in `/optimization/decisions`; null when there was none. */
  readonly decisionId: string | null;
  readonly durationMs: number;
  /** Of it, how long the call waited for its turn. */
  readonly queuedMs: number;
  readonly timeToFirstTokenMs: number | null;
  readonly outputTokens: number | null;
  readonly cachedTokens: number | null;
  /** Answered from a cache of replies: no call of a model. */
  readonly cached: boolean;
  readonly reloaded: boolean;
  readonly loadMs: number | null;
  readonly retries: number;
  /** Ollama alone would have cut its prompt, see `cutPrevented.ts`. */
  readonly cutPrevented: boolean;
  /** HTTP status as its client saw it; 499 when the client left. */
  readonly status: number;
  readonly errorCode: string | null;
  /** Of the decision: one sentence for people. */
  readonly reason: string | null;
}

/** Calls that wait for their turn, over all models. */
export interface QueueState {
  readonly waiting: number;
  /** How many may wait for one model. */
  readonly limit: number;
}

export type ActivityEvent =
  | { readonly type: "started" | "changed"; readonly call: RunningCall }
  | { readonly type: "ended"; readonly call: FinishedCall }
  | { readonly type: "queue"; readonly queue: QueueState };

/** What a call's end tells beyond what was known while it ran. */
export type Outcome = Omit<FinishedCall, keyof RunningCall | "durationMs">;

/** Of a call that told nothing of itself. */
export const UNTOLD: Omit<Outcome, "status"> = {
  decisionId: null,
  queuedMs: 0,
  timeToFirstTokenMs: null,
  outputTokens: null,
  cachedTokens: null,
  cached: false,
  reloaded: false,
  loadMs: null,
  retries: 0,
  cutPrevented: false,
  errorCode: null,
  reason: null,
};

/** One call as whoever carries it out tells of it. */
export interface TrackedCall {
  change(facts: Partial<Omit<RunningCall, "id" | "startedAt">>): void;
  /** Only the first one counts. */
  end(outcome: Outcome): void;
}

/** Ended calls that are kept. */
const KEPT = 500;

export class Activity {
  private readonly calls = new Map<string, RunningCall>();
  /** A ring: `next` is where the next one goes. */
  private readonly ended: FinishedCall[] = [];
  private next = 0;
  private readonly listeners = new Set<(event: ActivityEvent) => void>();
  private waiting = 0;

  /**
   * @param now milliseconds since the epoch, never going back
   * @param queueLimit calls that may wait for one model
   */
  constructor(
    private readonly now: () => number,
    private readonly queueLimit: number,
    private readonly kept: number = KEPT,
  ) {}

  /** In the order they began. */
  running(): readonly RunningCall[] {
    return [...this.calls.values()];
  }

  runningCount(): number {
    return this.calls.size;
  }

  /** The latest first. */
  recent(limit: number): readonly FinishedCall[] {
    const { ended, next } = this;
    return [...ended.slice(next), ...ended.slice(0, next)].reverse().slice(0, limit);
  }

  queue(): QueueState {
    return { waiting: this.waiting, limit: this.queueLimit };
  }

  /** @returns what ends the subscription */
  subscribe(listener: (event: ActivityEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  begin(facts: CallStart): TrackedCall {
    const id = randomUUID();
    const began = this.now();
    const undecided = { numCtx: null, action: null, templateId: null, promptTokens: null } as const;
    let call: RunningCall = {
      id,
      ...facts,
      startedAt: new Date(began).toISOString(),
      phase: "waiting",
      ...undecided,
    };
    this.calls.set(id, call);
    this.tell({ type: "started", call });
    return {
      change: (changed) => {
        if (!this.calls.has(id)) return;
        call = { ...call, ...changed };
        this.calls.set(id, call);
        this.tell({ type: "changed", call });
      },
      end: (outcome) => {
        if (!this.calls.delete(id)) return;
        this.keep({ ...call, ...outcome, durationMs: this.now() - began });
      },
    };
  }

  queueChanged(waiting: number): void {
    this.waiting = waiting;
    this.tell({ type: "queue", queue: this.queue() });
  }

  private keep(call: FinishedCall): void {
    this.ended[this.next] = call;
    this.next = (this.next + 1) % this.kept;
    this.tell({ type: "ended", call });
  }

  /** A listener that throws is its own trouble, not that of the call or of the next listener. */
  private tell(event: ActivityEvent): void {
    for (const listener of this.listeners) {
      try {
        listener(event);
      } catch {
        this.listeners.delete(listener);
      }
    }
  }
}
