/** One template in depth, for people. */
import { bars } from "../bars.js";
import type { Style } from "../style.js";
import { count, counted, seconds, table } from "../terminal.js";
import { REQUESTS, shown } from "./columns.js";
import { cells } from "./printed.js";
import type { Fit, Spread, TemplateDetail } from "./templateDetail.js";

const SCOPES = {
  task: "one shape of user text",
  system: "everything behind one system prompt",
  length: "prompts of one length, for those that match nothing",
} as const;
const MOST_TASKS = 10;
const CALL_COLUMNS = REQUESTS.filter(({ name }) =>
  ["at", "prompt", "output", "window", "total", "action", "quality", "error"].includes(name),
);

export function templateReport(detail: TemplateDetail, style: Style, widest: number): string {
  const { template, rules, tasks, calls, recent } = detail;
  const sections = [
    [`${style("bold", template.id)}: ${SCOPES[template.scope] ?? template.scope}`, ...about(detail)],
    [style("bold", "What it costs"), figures(detail)],
    ...(detail.byWindow.length > 0
      ? [[style("bold", "Calls by window"), byWindow(detail), "", windowChart(detail)]]
      : []),
    ...(detail.fit.decided > 0 ? [[style("bold", "How well they matched"), ...fitting(detail.fit)]] : []),
    ...(rules.length > 0
      ? [
          [
            style("bold", "Rules"),
            ...rules.map(
              ({ parameter, value, state, counts }) =>
                `  ${parameter} = ${value}: ${state}, ${count(counts.success ?? 0)} of ${count(counts.total ?? 0)} replies good`,
            ),
          ],
        ]
      : []),
    ...(tasks.length > 0
      ? [
          [
            style("bold", `${counted(tasks.length, "task")} behind it`),
            ...tasks
              .slice(0, MOST_TASKS)
              .map(({ id, observations }) => `  ${id}  seen ${counted(observations, "time")}`),
            ...(tasks.length > MOST_TASKS ? [`  and ${count(tasks.length - MOST_TASKS)} more`] : []),
          ],
        ]
      : []),
    calls > 0
      ? [
          style("bold", `The last ${count(recent.length)} of ${counted(calls, "call")}`),
          table(
            cells(
              CALL_COLUMNS.map(({ name }) => name),
              recent.map((request) => CALL_COLUMNS.map((column) => shown(column, request))),
              widest,
            ),
          ),
        ]
      : ["No call of it is in the request log."],
  ];
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function about({ template, bits, meanDistance, windows }: TemplateDetail): string[] {
  const { counts } = template;
  const observations = counts.observations ?? 0;
  return [
    `  seen ${counted(observations, "time")}, first ${day(template.createdAt)}, last ${day(template.updatedAt)}; ${counted(counts.errors ?? 0, "error")}, ${count(counts.censored ?? 0)} replies cut by a limit`,
    ...(windows.length > 0
      ? [
          `  compared by its first ${windows.map(({ tokens, isWorking }) => (isWorking ? `[${tokens}]` : tokens)).join(", ")} tokens; [ ] is in use`,
        ]
      : []),
    ...(meanDistance !== null && template.scope !== "length"
      ? [`  what matched differed by ${meanDistance.toFixed(1)} of ${bits ?? "?"} bits on average`]
      : []),
    ...(template.systemId ? [`  behind the system prompt ${template.systemId}`] : []),
    ...(template.isPinned ? ["  pinned by a person: never forgotten"] : []),
    ...(template.pinnedReserve
      ? [`  ${count(template.pinnedReserve)} tokens are kept for its replies, as a person set`]
      : []),
  ];
}

const day = (at: string | undefined): string => at?.slice(0, 16).replace("T", " ") ?? "-";

function figures({ promptTokens, outputTokens, totalMs }: TemplateDetail): string {
  const row = (name: string, spread: Spread, show: (value: number) => string): string[] => [
    `  ${name}`,
    count(spread.samples),
    ...[spread.p50, spread.p90, spread.p99].map((value) => (value === null ? "-" : show(value))),
  ];
  const tokens = (value: number): string => count(Math.round(value));
  return table([
    ["", "calls", "median", "90 %", "99 %"],
    row("prompt tokens", promptTokens, tokens),
    row("output tokens", outputTokens, tokens),
    row("latency", totalMs, seconds),
  ]);
}

const named = (numCtx: number | null): string => (numCtx === null ? "the server's" : count(numCtx));

function byWindow({ byWindow: uses }: TemplateDetail): string {
  const time = (value: number | null): string => (value === null ? "-" : seconds(value));
  return table([
    ["  window", "calls", "reloads", "failed", "used", "median", "99 %"],
    ...uses.map(({ numCtx, calls, reloads, failed, used, totalMs }) => [
      `  ${named(numCtx)}`,
      count(calls),
      count(reloads),
      count(failed),
      used === null ? "-" : percent(used),
      time(totalMs.p50),
      time(totalMs.p99),
    ]),
  ]);
}

function windowChart({ byWindow: uses }: TemplateDetail): string {
  return bars(
    uses.map(({ numCtx, calls }) => ({ label: named(numCtx), value: calls, note: counted(calls, "call") })),
  );
}

function fitting({ decided, held, cut, shifted, retried, ...spreads }: Fit): string[] {
  const { countError, reserveUsed, confidence } = spreads;
  return [
    `  ${count(held)} of ${count(decided)} calls stayed within their window; ${count(cut)} cut, ${count(shifted)} shifted, ${count(retried)} sent again`,
    ...(countError.p50 !== null
      ? [
          `  the count before the call differed from the server's by ${signed(countError.p50)} (median), ${signed(countError.p99!)} at most in 99 %`,
        ]
      : []),
    ...(reserveUsed.p50 !== null
      ? [
          `  replies took ${percent(reserveUsed.p50)} of the room kept for them (median; 99 % took ${percent(reserveUsed.p99!)} or less)`,
        ]
      : []),
    ...(confidence.p50 !== null ? [`  confidence ${confidence.p50.toFixed(2)} (median)`] : []),
  ];
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;
const signed = (share: number): string =>
  Math.abs(share) < 0.0005 ? "nothing" : `${share > 0 ? "+" : ""}${(100 * share).toFixed(1)} %`;
