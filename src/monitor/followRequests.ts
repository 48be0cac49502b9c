/**
 * Requests as they are recorded: by this process at once, by other processes when the store is looked at, each of
 * them once.
 */
import type { RequestRecord } from "../records.js";
import { onAppend, type RequestListener } from "../storage/appended.js";
import type { OptimizerStore } from "../storage/store.js";

export interface Followed {
  /** Resolves when what is stored since `since` was heard. Never rejects. */
  readonly caughtUp: Promise<void>;
  readonly stop: () => void;
}

/** How often others' requests are looked for, milliseconds. */
const LOOK_MS = 5_000;
/** Requests of others between two looks that are heard; more are the log's to tell. */
const MOST_AT_ONCE = 2_000;
/** Ids remembered so that nothing is heard twice. */
const REMEMBERED = 3 * MOST_AT_ONCE;
/** Requests are stored when they end, in no strict order: after so many known ones in a row the rest is known too. */
const KNOWN_IN_A_ROW = 64;
/** Servers tell in the order in which calls began: one look in so many goes past those known, so far back, ms. */
const THOROUGH = 12;
const LONGEST_CALL_MS = 10 * 60_000;

/**
 * @param options.startedAt ISO 8601, now: of other processes, only what began later is heard
 * @param options.since ISO 8601: what was stored from then on is heard first; absent: nothing of it
 * @param options.lookMs how often others' requests are looked for; default 5 s
 * @param options.now milliseconds since 1970; default `Date.now`
 */
export function followRequests(
  store: OptimizerStore,
  listener: RequestListener,
  options: {
    readonly startedAt: string;
    readonly since?: string;
    readonly lookMs?: number;
    readonly now?: () => number;
  },
): Followed {
  const { startedAt, now = Date.now } = options;
  const heard = new Set<string>();
  let isStopped = false;
  const hear = (request: RequestRecord): boolean => {
    if (isStopped || heard.has(request.id)) return false;
    heard.add(request.id);
    if (heard.size > REMEMBERED) heard.delete(heard.values().next().value as string);
    listener(request);
    return true;
  };
  /** Own requests while the log is read, whose ids would be forgotten before it comes to them; null otherwise. */
  let meanwhile: Set<string> | null = null;
  const forget = onAppend(store, (request) => {
    if (hear(request)) meanwhile?.add(request.id);
  });

  const catchUp = async (since: string): Promise<void> => {
    const own = new Set<string>();
    meanwhile = own;
    try {
      for await (const request of store.requests({ since })) if (!own.has(request.id)) hear(request);
    } finally {
      meanwhile = null;
    }
  };
  // Not asked for by time: a log of files would be read to its beginning for it.
  let looks = 0;
  const look = async (): Promise<void> => {
    const isThorough = store.abilities.sharedByMachines && ++looks % THOROUGH === 0;
    const since = new Date(now() - LONGEST_CALL_MS).toISOString();
    const unheard: RequestRecord[] = [];
    let known = 0;
    for await (const request of store.requests({ newestFirst: true, limit: MOST_AT_ONCE })) {
      const isKnown = heard.has(request.id) || request.at < startedAt;
      known = isKnown ? known + 1 : 0;
      if (isStopped || (known >= KNOWN_IN_A_ROW && !(isThorough && request.at > since))) break;
      if (!isKnown) unheard.push(request);
    }
    for (const request of unheard.reverse()) hear(request);
  };

  let looking: Promise<void> | null = null;
  const once = (work: Promise<void>): Promise<void> => {
    // A store that cannot be read says so itself, and is asked again.
    looking = work
      .catch(() => {})
      .finally(() => {
        looking = null;
      });
    return looking;
  };
  const caughtUp = options.since === undefined ? Promise.resolve() : once(catchUp(options.since));
  const timer = store.abilities.sharedByProcesses
    ? setInterval(() => looking ?? once(look()), options.lookMs ?? LOOK_MS)
    : undefined;
  timer?.unref();
  return {
    caughtUp,
    stop: () => {
      isStopped = true;
      forget();
      clearInterval(timer);
    },
  };
}
