/**
 * Tells of anomalies at once and without repeats: by callback, as a stream of events, and to a webhook. A single call is
 * news from twice the usual on; what is less is in the report. Requests are looked at beside the calls that brought
 * them, a few microseconds each.
 */
import { AnomalyDetector } from "../analysis/anomalies.js";
import type { Anomaly, AnomalyOptions } from "../analysis/types.js";
import { type Logger, silentLogger, warnSafely } from "../logger.js";
import type { RequestRecord } from "../records.js";
import { type Alert, type AlertState, alertStep, NO_ALERTS } from "./alertState.js";
import type { Monitor } from "./monitor.js";
import { type Webhook, webhook } from "./webhook.js";

/** How anomalies are searched, and where the news of them goes. */
export interface AlertOptions extends Omit<AnomalyOptions, "now"> {
  /** Its newest requests tell what is usual; those that it takes in from now on are judged. */
  readonly monitor: Monitor;
  /** Address that each alert is posted to, as JSON. */
  readonly webhook?: Webhook;
  /** The same anomaly is told again after so long at the earliest, ms. Default 15 minutes. */
  readonly quietMs?: number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  readonly logger?: Logger;
}

const QUIET_MS = 15 * 60_000;
/** Whether something is over is looked at so often. */
const LOOK_MS = 60_000;
/** Calls of a group that tell what is usual: fewer than a report has time for. */
const WINDOW = 128;
/** Groups that are watched; beyond, those of the newest requests. Each holds up to 256 requests. */
const MOST_GROUPS = 64;
/** Alerts that wait for a slow reader of a stream; the oldest are dropped beyond. */
const MOST_WAITING = 1_000;

/**
 * @example
 * const alerts = new Alerts({ monitor, webhook: { url: "https://example.org/hook" } });
 * alerts.subscribe(({ type, anomaly }) => console.warn(type, anomaly.text));
 * for await (const alert of alerts.events(signal)) await page(alert);
 */
export class Alerts {
  private readonly now: () => number;
  private readonly logger: Logger;
  private readonly quietMs: number;
  private readonly listeners = new Set<(alert: Alert) => void>();
  private readonly stopListening: () => void;
  private readonly timer: NodeJS.Timeout;
  private detector: AnomalyDetector;
  /** End the streams of events. */
  private readonly ends = new Set<() => void>();
  private readonly groups = new Set<string>();
  private state: AlertState = NO_ALERTS;
  private waiting: RequestRecord[] = [];
  private hasWarned = false;
  private isClosed = false;

  /** @throws OptimizerError `OPTION_INVALID` */
  constructor(private readonly options: AlertOptions) {
    this.now = options.now ?? Date.now;
    this.logger = options.logger ?? silentLogger;
    this.quietMs = options.quietMs ?? QUIET_MS;
    this.detector = this.trained(options.monitor.recent());
    if (options.webhook) this.subscribe(webhook(options.webhook, this.logger));
    this.stopListening = options.monitor.subscribe((request) => this.queue(request));
    // Without further calls nothing else would say that it is over.
    this.timer = setInterval(() => this.safely(() => this.look()), LOOK_MS);
    this.timer.unref();
  }

  /** Calls a listener with each alert. What it throws is logged. Returns the function that ends it. */
  subscribe(listener: (alert: Alert) => void): () => void {
    const added = (alert: Alert): void => listener(alert);
    this.listeners.add(added);
    return () => void this.listeners.delete(added);
  }

  /** Alerts from now on, until the signal aborts, the reader leaves or {@link close} is called. */
  events(signal?: AbortSignal): AsyncGenerator<Alert> {
    const alerts: Alert[] = [];
    let isEnded = false;
    let wake = (): void => {};
    // At once, not when the first one is asked for: what is raised in between is told too.
    const stop = this.subscribe((alert) => {
      alerts.push(alert);
      if (alerts.length > MOST_WAITING) alerts.shift();
      wake();
    });
    const end = (): void => {
      isEnded = true;
      stop();
      this.ends.delete(end);
      signal?.removeEventListener("abort", end);
      wake();
    };
    this.ends.add(end);
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted || this.isClosed) end();
    return read(
      alerts,
      (resolve) => (wake = resolve),
      end,
      () => isEnded,
    );
  }

  /** Anomalies that were told and are not over. */
  get open(): readonly Anomaly[] {
    return [...this.state.open.values()].flatMap(({ anomaly, isHeld }) => (isHeld ? [] : [anomaly]));
  }

  /** Judges what has come since the last look, and tells what is new and what is over. It happens by itself. */
  look(): readonly Alert[] {
    const now = this.now();
    const found = this.waiting.splice(0).flatMap((request) => {
      this.groups.add(JSON.stringify([request.serverId, request.model, request.templateId]));
      return this.detector.take(request, now);
    });
    if (this.groups.size > MOST_GROUPS) this.detector = this.trained(this.options.monitor.recent());
    const { state, alerts } = alertStep(this.state, found, now, this.quietMs);
    this.state = state;
    for (const alert of alerts) this.tell(alert);
    return alerts;
  }

  /** Ends it and its streams of events; what is on its way to a webhook is not waited for. */
  close(): void {
    this.isClosed = true;
    this.stopListening();
    clearInterval(this.timer);
    for (const end of this.ends) end();
    this.listeners.clear();
    this.waiting = [];
  }

  /** Begins anew with what is usual in these requests. */
  private trained(requests: readonly RequestRecord[]): AnomalyDetector {
    const { window = WINDOW, minimum, method, volumeBucketMs } = this.options;
    // Or silence would be taken for the end of what lasts.
    const againMs = Math.max(LOOK_MS, this.quietMs / 3);
    const detector = new AnomalyDetector({ window, minimum, method, volumeBucketMs, againMs });
    this.groups.clear();
    for (const request of requests) detector.take(request, this.now());
    return detector;
  }

  /** Beside the call whose end brought the request, never in it. */
  private queue(request: RequestRecord): void {
    this.waiting.push(request);
    if (this.waiting.length === 1) setImmediate(() => this.safely(() => this.look()));
  }

  private tell(alert: Alert): void {
    for (const listener of this.listeners) this.safely(() => listener(alert));
  }

  private safely(work: () => unknown): void {
    try {
      work();
    } catch (error) {
      const text = `monitor: an alert was not told (${error instanceof Error ? error.name : typeof error})`;
      // What repeats the first warning is for who looks closely.
      const { logger } = this;
      warnSafely(this.hasWarned ? { warn: (message) => logger.debug?.(message) } : logger, text);
      this.hasWarned = true;
    }
  }
}

async function* read(
  alerts: Alert[],
  onWake: (wake: () => void) => void,
  end: () => void,
  isEnded: () => boolean,
): AsyncGenerator<Alert> {
  try {
    while (!isEnded()) {
      const next = alerts.shift();
      if (next) yield next;
      else await new Promise<void>(onWake);
    }
  } finally {
    end();
  }
}
