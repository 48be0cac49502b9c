/** How a call ends. */
import type { RequestRecord } from "../records.js";

/** Ends a call once, with its error or null; later calls do nothing. */
export interface EndOfCall {
  (error: unknown): void;
  readonly recorded: Promise<RequestRecord>;
}

/** Marks a reply whose reader left. */
export const ABANDONED: DOMException = new DOMException("The reply was not read to its end", "AbortError");
