/** What an auto-optimizer may turn, and how: the slice of caches, gates and stores that it needs. */
import type { ProfileRecord } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";

/** What a dial sets. */
export type DialKind =
  /** Seconds that cached replies live. */
  | "cacheTtl"
  /** Calls at the same time. */
  | "concurrency"
  /** Seconds that a model stays loaded after a call that does not say how long. */
  | "keepAlive"
  /** Largest window that a load takes by choice, tokens. */
  | "window"
  /** Largest batch that a load takes by choice, tokens. */
  | "batch";

/** One thing with one number. */
export interface Dial {
  readonly kind: DialKind;
  /** Which one: a cache, a slot. The same after a restart. */
  readonly target: string;
  /** Survives a restart by itself. */
  readonly isStored: boolean;
  /** Present value; null when nothing is set. */
  read(): number | null;
  /** Sets it; null takes back what was set. */
  set(value: number | null): void | Promise<void>;
  /** What a first step starts from while nothing is set; null: nothing is known. */
  natural?(): number | null;
}

/** Hits and misses so far, as a cache counts them. */
export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  readonly size: number;
  readonly maxSize: number;
}

/** What an auto-optimizer may turn or start. */
export interface Levers {
  /** Asked at each run, so that models loaded meanwhile have theirs. */
  readonly dials?: () => readonly Dial[];
  /** Frees memory: expired entries, models nobody uses. Resolves with what was freed, in words. */
  readonly release?: () => Promise<string>;
  /** Measures or learns anew, e.g. a calibration run. Resolves with what was done, in words. */
  readonly retune?: () => Promise<string>;
  /** Hits and misses so far, to judge a step by. */
  readonly cacheCounts?: () => Promise<CacheCounts>;
}

/** The slice of a cache that can be turned. */
export interface TurnableCache {
  /** Figures since it was opened. */
  statistics(): Promise<CacheCounts>;
  /** How long new entries live, in seconds. */
  setTtl(ttlSeconds: number): void;
  /** Removes what has expired; resolves with how many entries that were. */
  clearExpired(): Promise<number>;
}

/** The slice of a gate that can be turned. */
export interface TurnableGate {
  limit: number | null;
  /** Most calls at once so far. */
  readonly busiest: number;
}

/**
 * Levers over what a program has: its store (windows, batches and keep-alive of every slot, read by the optimizer at
 * the next load), a cache, a gate.
 *
 * @param parts.ttlSeconds what the cache was made with; default 1 h
 */
export function leversOf(parts: {
  readonly store?: OptimizerStore;
  readonly cache?: TurnableCache;
  readonly gate?: TurnableGate;
  readonly ttlSeconds?: number;
  readonly retune?: Levers["retune"];
}): Levers {
  const { store, cache, gate, ttlSeconds = 3_600, retune } = parts;
  const cacheTtl = cache && cacheDial(cache, ttlSeconds);
  const concurrency = gate && gateDial(gate);
  return {
    dials: () => [
      ...(cacheTtl ? [cacheTtl] : []),
      ...(concurrency ? [concurrency] : []),
      ...(store ? [...store.list("profiles")].flatMap((profile) => profileDials(store, profile)) : []),
    ],
    ...(cache && {
      cacheCounts: () => cache.statistics(),
      release: async () => `${await cache.clearExpired()} expired replies left the cache`,
    }),
    ...(retune && { retune }),
  };
}

function cacheDial(cache: TurnableCache, ttlSeconds: number): Dial {
  let set: number | null = null;
  return {
    kind: "cacheTtl",
    target: "cache",
    isStored: false,
    read: () => set,
    natural: () => ttlSeconds,
    set: (value) => {
      set = value;
      cache.setTtl(value ?? ttlSeconds);
    },
  };
}

function gateDial(gate: TurnableGate): Dial {
  return {
    kind: "concurrency",
    target: "gate",
    isStored: false,
    read: () => gate.limit,
    natural: () => gate.busiest || null,
    set: (value) => {
      gate.limit = value;
    },
  };
}

const STEERED = { keepAlive: "keepAliveSeconds", window: "maximumNumCtx", batch: "maximumNumBatch" } as const;
/** What Ollama does unless it is told otherwise. */
const OLLAMA = { keepAliveSeconds: 300, maximumNumBatch: 512 };

/** The dials of one slot: kept in its profile, so that every program of the store follows. */
function profileDials(store: OptimizerStore, { id }: ProfileRecord): readonly Dial[] {
  const profile = (): ProfileRecord | undefined => store.get("profiles", id);
  return (["window", "batch", "keepAlive"] as const).map((kind) => {
    const field = STEERED[kind];
    return {
      kind,
      target: id,
      isStored: true,
      read: () => profile()?.steering?.[field] ?? null,
      natural: () =>
        kind === "keepAlive"
          ? OLLAMA.keepAliveSeconds
          : kind === "batch"
            ? (profile()?.lastOptions?.num_batch ?? OLLAMA.maximumNumBatch)
            : (profile()?.lastOptions?.num_ctx ?? null),
      set: (value) => store.merge("profiles", { id, steering: { ...profile()?.steering, [field]: value } }),
    };
  });
}
