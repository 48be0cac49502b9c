/** What the doctor found, in one sentence, and what a person can do about it. */

/** `error`: something does not work; `warning`: it costs answers, time or memory; `note`: worth knowing. */
export type Severity = "ok" | "note" | "warning" | "error";

/** What a finding is about, in the order of a report. */
export const TOPICS = ["server", "models", "window", "memory", "engine", "clients", "store"] as const;

export interface Finding {
  readonly topic: (typeof TOPICS)[number];
  readonly severity: Severity;
  /** One sentence. */
  readonly text: string;
  /** What to do, as exact as can be; null when there is nothing to do. */
  readonly remedy: string | null;
}

/** @example finding("store", "ok", "It can be read.") // { topic: "store", severity: "ok", text: "It can be read.", remedy: null } */
export function finding(
  topic: Finding["topic"],
  severity: Severity,
  text: string,
  remedy: string | null = null,
): Finding {
  return { topic, severity, text, remedy };
}
