/** What of a request may be stored: no prompt or reply text unless the user asked for it, and then redacted. */
import type { Logger } from "../logger.js";
import type { RequestRecord } from "../records.js";

/** Changes a text before it is stored, e.g. to take out names. */
export type Redact = (text: string) => string;

/** Whether prompts and replies are kept, and in which words. */
export interface RequestTextOptions {
  /** Keep prompt and reply in the request log. Default false. */
  readonly storeText?: boolean;
  /** Applied in order to every prompt and reply that is stored. One that throws keeps the text out of the store. */
  readonly redact?: readonly Redact[];
}

/**
 * The request as it may be stored.
 *
 * @example
 * storableRequest({ ...request, text: { prompt: "I am Ann", reply: "Hi" } }, { storeText: true, redact: [(text) => text.replace("Ann", "X")] }, logger).text
 * // { prompt: "I am X", reply: "Hi" }
 */
export function storableRequest(
  request: RequestRecord,
  options: RequestTextOptions,
  logger: Logger,
): RequestRecord {
  const { text, ...rest } = request;
  if (text === undefined || !options.storeText) return rest;
  const redact = (value: string) => (options.redact ?? []).reduce((result, hook) => hook(result), value);
  try {
    return { ...rest, text: { prompt: redact(text.prompt), reply: redact(text.reply) } };
  } catch (error) {
    // The error may quote the text: its class is all that is said.
    const name = error instanceof Error ? error.name : typeof error;
    logger.warn(`A redact hook threw ${name}; the text of request ${request.id} was not stored.`);
    return rest;
  }
}
