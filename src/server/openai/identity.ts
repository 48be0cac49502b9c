/** What every reply says about itself. */
import { randomUUID } from "node:crypto";

/** @example newId("call_").length // 37 */
export function newId(prefix: string): string {
  return prefix + randomUUID().replaceAll("-", "");
}

/** Unix time in seconds, as OpenAI's `created`. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Head of a reply: the same in each chunk of a stream. */
export interface Head {
  readonly id: string;
  readonly object: string;
  readonly created: number;
  /** As the client named it. */
  readonly model: string;
  readonly system_fingerprint: string;
}

export function headOf(prefix: string, object: string, model: string): Head {
  return { id: newId(prefix), object, created: nowSeconds(), model, system_fingerprint: "fp_ollama" };
}
