/**
 * The activity as server-sent events: a snapshot, then what changes. Each event is one `data:` line of JSON with its
 * `type`: "snapshot" | "started" | "changed" | "ended" | "queue" | "alert".
 */
import type { Anomaly } from "../analysis/types.js";
import type { Alert } from "../monitor/index.js";
import type { Activity, ActivityEvent } from "./activity.js";

/** News of anomalies: those that were told and are not over, and what is told from now on. */
export interface AlertSource {
  readonly open: readonly Anomaly[];
  /** @returns what ends the subscription */
  subscribe(listener: (alert: Alert) => void): () => void;
}

/** An alert as the stream tells it. */
export interface AlertEvent {
  readonly type: "alert";
  readonly alert: Alert;
}

/** Ended calls in the snapshot. */
const SNAPSHOT_CALLS = 100;
/** Events of this long go out together: at 1,000 a second, a write for each would cost more than the calls. */
const GATHER_MS = 50;
/** Proxies and browsers give up on a stream that is silent for longer than a minute. */
const HEARTBEAT_MS = 15_000;
/** Characters that wait for a slow reader; beyond, its stream ends, and the next one begins with a snapshot. */
const MOST_WAITING = 2 ** 20;

const NO_ALERTS: AlertSource = { open: [], subscribe: () => () => {} };

/** @param stopping ends the stream: a server that drains would wait for its reader otherwise */
export function eventStream(
  activity: Activity,
  stopping: AbortSignal | undefined,
  alerts: AlertSource = NO_ALERTS,
): Response {
  const encoder = new TextEncoder();
  let gathered = "";
  let end = (): void => {};
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let timer: NodeJS.Timeout | null = null;
        const flush = (): void => {
          timer = null;
          const bytes = encoder.encode(gathered);
          gathered = "";
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(bytes);
          else finish();
        };
        const heartbeat = setInterval(() => {
          gathered += ": still here\n\n";
          timer ??= setTimeout(flush, 0);
        }, HEARTBEAT_MS);
        const tell = (event: ActivityEvent | AlertEvent): void => {
          gathered += frame(event);
          timer ??= setTimeout(flush, GATHER_MS);
        };
        const leave = activity.subscribe(tell);
        const leaveAlerts = alerts.subscribe((alert) => tell({ type: "alert", alert }));
        end = () => {
          leave();
          leaveAlerts();
          clearInterval(heartbeat);
          if (timer) clearTimeout(timer);
          stopping?.removeEventListener("abort", finish);
        };
        const finish = (): void => {
          end();
          controller.close();
        };
        controller.enqueue(encoder.encode(frame(snapshot(activity, alerts))));
        if (stopping?.aborted) finish();
        else stopping?.addEventListener("abort", finish, { once: true });
      },
      cancel: () => end(),
    },
    { highWaterMark: MOST_WAITING, size: (bytes) => bytes?.byteLength ?? 0 },
  );
  return new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" },
  });
}

function snapshot(activity: Activity, alerts: AlertSource) {
  return {
    type: "snapshot",
    at: new Date().toISOString(),
    running: activity.running(),
    recent: activity.recent(SNAPSHOT_CALLS),
    queue: activity.queue(),
    alerts: alerts.open,
  } as const;
}

function frame(event: ActivityEvent | AlertEvent | ReturnType<typeof snapshot>): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}
