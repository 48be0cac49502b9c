/** What looks after a server's calls: monitor, alerts, and the auto-optimizer with what it may turn. */

import type { Prices } from "../../analysis/types.js";
import { Autopilot, Gate, leversOf, type TurnableCache } from "../../autopilot/index.js";
import type { CacheStatistics, EntryCache } from "../../cache/index.js";
import { Alerts, Monitor, type Webhook } from "../../monitor/index.js";
import type { CallEngine } from "../callEngine.js";
import type { ServerAppOptions } from "../options.js";

/** What a report tells beyond the request log. */
export interface ReportingOptions {
  /**
   * A cache of replies that this program uses: its figures are told, and its time to live may be turned. Default: the
   * server's own, if it has one.
   */
  readonly cache?: Omit<TurnableCache, "statistics"> & {
    /** Figures since it was opened. */
    statistics(): Promise<CacheStatistics>;
  };
  /** Prices for `/optimization/costs` and the report. */
  readonly prices?: Prices;
  /** IANA name: where days begin. Default "UTC". */
  readonly timeZone?: string;
  /** Address that alerts are posted to. */
  readonly webhook?: Webhook;
}

export interface Watch {
  readonly alerts: Alerts;
  readonly autopilot: Autopilot;
  /** Calls to models pass it; the auto-optimizer narrows it when the CPU is too busy. */
  readonly gate: Gate;
  readonly reporting: ReportingOptions;
}

/** Begins to watch a store. Nothing of it keeps a process alive. */
export function watchOf(
  { store, reporting = {}, cache: { ttlSeconds } = {}, logger }: ServerAppOptions,
  entries: EntryCache | null,
): Watch {
  const { cache = entries ?? undefined, webhook } = reporting;
  const ttl = cache === entries ? ttlSeconds : undefined;
  // Whoever wanted it for ever or learned has decided.
  const isTurnable = cache && ttl !== null && ttl !== "learned";
  const monitor = new Monitor();
  void monitor.follow(store);
  const gate = new Gate();
  const levers = leversOf({ store, gate, ...(isTurnable && { cache, ttlSeconds: ttl }) });
  return {
    alerts: new Alerts({ monitor, webhook, logger }),
    autopilot: new Autopilot({ store, monitor, levers, logger }),
    gate,
    reporting: { ...reporting, cache },
  };
}

/** The same engine behind a gate: a call holds its place until its reply has ended. */
export function gated(engine: CallEngine, gate: Gate): CallEngine {
  return {
    ...engine,
    send: (call) =>
      new Promise((resolve, reject) => {
        gate
          .run(async () => {
            const reply = await engine.send(call);
            resolve(reply);
            await reply.recorded;
          }, call.signal)
          .catch(reject);
      }),
  };
}
