/** What looks after a server's calls: monitor, alerts, and the auto-optimizer with what it may turn. */

import type { Prices } from "../../analysis/types.js";
import { Autopilot, Gate, leversOf, type TurnableCache } from "../../autopilot/index.js";
import type { CacheStatistics } from "../../cache/index.js";
import type { Logger } from "../../logger.js";
import { Alerts, Monitor, type Webhook } from "../../monitor/index.js";
import type { OptimizerStore } from "../../storage/store.js";
import type { CallEngine } from "../callEngine.js";

/** What a report tells beyond the request log. */
export interface ReportingOptions {
  /** A cache of replies that this program uses: its figures are told, and its time to live may be turned. */
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
  readonly monitor: Monitor;
  readonly alerts: Alerts;
  readonly autopilot: Autopilot;
  /** Calls to models pass it; the auto-optimizer narrows it when the CPU is too busy. */
  readonly gate: Gate;
  readonly reporting: ReportingOptions;
}

/** Begins to watch a store. Nothing of it keeps a process alive. */
export function watchOf(
  store: OptimizerStore,
  reporting: ReportingOptions,
  logger: Logger | undefined,
): Watch {
  const { cache, webhook } = reporting;
  const monitor = new Monitor();
  void monitor.follow(store);
  const gate = new Gate();
  const levers = leversOf({ store, gate, ...(cache && { cache }) });
  return {
    monitor,
    alerts: new Alerts({ monitor, webhook, logger }),
    autopilot: new Autopilot({ store, monitor, levers, logger }),
    gate,
    reporting,
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
