/** Figures and names in sentences for people. */
import type { Cause, Group } from "./types.js";

/** @example duration(8240) // "8.2 s" */
export function duration(ms: number): string {
  if (ms < 1) return `${trimmed(ms, 2)} ms`;
  if (ms < 1000) return `${trimmed(ms, 3)} ms`;
  if (ms < 120_000) return `${trimmed(ms / 1000, 2)} s`;
  if (ms < 7_200_000) return `${trimmed(ms / 60_000, 2)} min`;
  if (ms < 172_800_000) return `${trimmed(ms / 3_600_000, 2)} h`;
  return `${trimmed(ms / 86_400_000, 2)} days`;
}

/** @example bytes(1536 * 2 ** 20) // "1.5 GiB" */
export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${trimmed(value, 2)} ${units[unit]}`;
}

/** @example percent(0.1234) // "12.3 %" */
export function percent(share: number): string {
  return `${trimmed(100 * share, 3)} %`;
}

/** @example whole(1234567) // "1,234,567" */
export function whole(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** @example plural(2, "call") // "2 calls" */
export function plural(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Significant digits, without zeros at the end; whole numbers stay whole. */
function trimmed(value: number, digits: number): string {
  return String(Number(value.toPrecision(Math.max(digits, Math.trunc(Math.abs(value)).toString().length))));
}

/** @example moment("2026-11-21T14:30:00.250Z") // "2026-11-21 14:30 UTC" */
export function moment(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;
}

/** "llama3.2, template t1" */
export function groupName(group: Group): string {
  return group.templateId === null ? group.model : `${group.model}, template ${group.templateId}`;
}

/** Behind "because". */
export const CAUSE_WORDS: Readonly<Record<Cause, string>> = {
  reload: "the model was loaded anew",
  slowDisk: "the disk that models are loaded from is slow",
  memoryLeak: "something leaks memory",
  spill: "part of the model is outside GPU memory",
  longerPrompts: "prompts are longer",
  longerReplies: "replies are longer",
  coldPrefix: "the prompt's head is no longer in the prefix cache",
  queue: "calls wait for each other",
  busyMachine: "the machine is busy with something else",
};
