/** Posts alerts to one fixed address. */
import { OptimizerError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { Alert } from "./alertState.js";

/** Where alerts are posted to as JSON. */
export interface Webhook {
  /** http or https. Redirects are not followed. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 5 s. */
  readonly timeoutMs?: number;
  /** Before the one repetition. Default 1 s. */
  readonly retryAfterMs?: number;
  /** Default the global one. */
  readonly fetch?: typeof fetch;
}

/**
 * A listener that posts each alert as JSON, one after the other, and once more when that failed. It never throws: what could not be
 * delivered is logged, with the status or the error's name and without the address, which may hold a secret.
 *
 * @throws OptimizerError `OPTION_INVALID` for an address that is none
 */
export function webhook(options: Webhook, logger: Logger): (alert: Alert) => void {
  const { url, headers = {}, timeoutMs = 5_000, retryAfterMs = 1_000, fetch: send = fetch } = options;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new OptimizerError({
      code: "OPTION_INVALID",
      message: "The webhook's url is not an address of http or https",
      remedy: 'Give one such as "https://example.org/hook".',
    });
  }
  const post = async (body: string): Promise<string | null> => {
    try {
      const reply = await send(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body,
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
      });
      await reply.body?.cancel();
      return reply.ok ? null : `status ${reply.status}`;
    } catch (error) {
      return error instanceof Error ? error.name : typeof error;
    }
  };
  const deliver = async (alert: Alert): Promise<void> => {
    const body = JSON.stringify(alert);
    if ((await post(body)) === null) return;
    await new Promise((resolve) => setTimeout(resolve, retryAfterMs).unref());
    const failure = await post(body);
    if (failure !== null) logger.warn(`monitor: an alert did not reach the webhook (${failure})`);
  };
  let last: Promise<void> = Promise.resolve();
  return (alert) => {
    // A logger that fails leaves nobody to tell.
    last = last.then(() => deliver(alert)).catch(() => {});
  };
}
