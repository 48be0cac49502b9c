/** Whether programs take turns at loading a model with windows of their own. */
import type { WireLoadedModel } from "../../backend/wire.js";
import type { ProfileRecord } from "../../records.js";
import { count, counted } from "../terminal.js";
import { type Finding, finding } from "./finding.js";
import type { LogFacts } from "./serverLog.js";

/** What there is to judge by. */
export interface ClientTraces {
  /** `/api/ps`, looked at several times. */
  readonly looks: readonly (readonly WireLoadedModel[])[];
  readonly log: LogFacts | null;
  /** Of this server. */
  readonly profiles: readonly (Partial<Omit<ProfileRecord, "counts">> & {
    readonly counts: Partial<ProfileRecord["counts"]>;
  })[];
}

const SHARE_A_WINDOW =
  "Send all of them through langchain-ollama-optimizer serve, or give them the same num_ctx; clients of /v1 cannot set one.";
/** One fall may be a model that was unloaded meanwhile. */
const MANY_FALLS = 2;

export function clientFindings({ looks, log, profiles }: ClientTraces): readonly Finding[] {
  const found = [...watched(looks), ...logged(log), ...remembered(profiles)];
  return found.length > 0
    ? found
    : [
        finding(
          "clients",
          "ok",
          "No sign of programs that take turns at loading a model with different windows.",
        ),
      ];
}

/** Windows that changed while it was looked at. */
function watched(looks: ClientTraces["looks"]): Finding[] {
  const windows = new Map<string, Set<number>>();
  for (const { name, context_length: numCtx } of looks.flat()) {
    if (numCtx !== undefined) windows.set(name, (windows.get(name) ?? new Set()).add(numCtx));
  }
  return [...windows]
    .filter(([, seen]) => seen.size > 1)
    .map(([name, seen]) =>
      finding(
        "clients",
        "warning",
        `${name} was loaded with windows of ${[...seen].map(count).join(" and ")} while this looked: each change is a reload.`,
        SHARE_A_WINDOW,
      ),
    );
}

/** Windows that went down: one program grows, several take turns. */
function logged(log: LogFacts | null): Finding[] {
  if (!log) return [];
  const blobs = [...new Set(log.loads.map(({ blob }) => blob))];
  const found = blobs.flatMap((blob) => {
    const loads = log.loads.filter((load) => load.blob === blob);
    const falls = loads.filter(({ numCtx }, at) => at > 0 && numCtx < loads[at - 1]!.numCtx).length;
    if (falls < MANY_FALLS) return [];
    const windows = [...new Set(loads.map(({ numCtx }) => numCtx))].sort((a, b) => a - b);
    const which = blob === null ? "Models were" : `The weights ${blob.slice(0, 12)} were`;
    return [
      finding(
        "clients",
        "warning",
        `${which} loaded ${counted(loads.length, "time")} since the server's start, with windows of ${windows.map(count).join(", ")}.`,
        SHARE_A_WINDOW,
      ),
    ];
  });
  if (log.compatibleCalls > 0) {
    found.push(
      finding(
        "clients",
        "note",
        `${counted(log.compatibleCalls, "call")} came by /v1, where no window can be set: such calls get the default one, and reload a model that has another.`,
        "Point those programs to langchain-ollama-optimizer serve.",
      ),
    );
  }
  if (log.cuts > 0) {
    found.push(
      finding(
        "window",
        "warning",
        `Since the server's start ${counted(log.cuts, "prompt")} ${log.cuts === 1 ? "was" : "were"} cut and answered as if whole.`,
        "Use OptimizedChatOllama, or langchain-ollama-optimizer serve for other programs.",
      ),
    );
  }
  return found;
}

/** What calls met. */
function remembered(profiles: ClientTraces["profiles"]): Finding[] {
  return profiles.flatMap(({ models, blob, counts }) => {
    const foreign = counts.foreignReloads ?? 0;
    if (foreign === 0) return [];
    const name = models?.join(", ") || `the weights ${blob?.slice(0, 12)}`;
    return [
      finding(
        "clients",
        "warning",
        `Of ${count(counts.calls ?? 0)} calls to ${name}, ${count(foreign)} met a window that another program had loaded.`,
        SHARE_A_WINDOW,
      ),
    ];
  });
}
