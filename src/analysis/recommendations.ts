/** What to do about what was found, in plain words. */
import type { Cause, Finding, Recommendation, Report } from "./types.js";
import { duration, percent, plural } from "./words.js";

type Known = Omit<Report, "recommendations" | "title" | "madeAt">;

const BY_CAUSE: Readonly<Record<Cause, string>> = {
  reload:
    "Let every program ask for the same window and options: send them all through this package's server, or set OLLAMA_CONTEXT_LENGTH and take num_ctx out of the others.",
  slowDisk:
    "Put the models (OLLAMA_MODELS) on a faster disk, free memory so that the system can cache the file, or keep the model loaded with a longer keep_alive.",
  memoryLeak:
    "See which process grows (ps, top) and restart it; if it is Ollama's, update it. Until then plan for a restart before memory is full.",
  spill:
    "Free GPU memory, take a smaller window or quantization, or set OLLAMA_KV_CACHE_TYPE=q8_0, so that the whole model fits again.",
  longerPrompts: "Trim or summarize long histories, and hand over fewer or shorter documents.",
  longerReplies: "Ask for shorter answers in the system prompt, or set numPredict for this template.",
  coldPrefix:
    "Keep what never changes at the head of the prompt and what changes (dates, names, documents) at its end; run calls of one template next to each other with batch().",
  queue:
    "Raise OLLAMA_NUM_PARALLEL where memory permits, send fewer calls at a time, or add a second server.",
  busyMachine: "Move other work away from this machine or to quieter hours.",
};

const LOW_HIT_RATE = 0.1;
/** Repeats that are worth a cache. */
const REPEATED_SHARE = 0.05;
const FAILED_SHARE = 0.02;

/** Each follows from something in the report, and says what. */
export function recommendationsOf(report: Known): Recommendation[] {
  return [
    ...byFindings(report.findings),
    ...byCaches(report),
    ...bySizes(report),
    ...byErrors(report),
    ...byTrend(report),
    ...report.forecast.advice.map(({ text, kind }) => ({
      text,
      because: kind === "preload" ? "The forecast of the coming hours." : "The upper end of the forecast.",
    })),
  ];
}

/** One advice a cause, however many places have it. */
function byFindings(findings: readonly Finding[]): Recommendation[] {
  const byCause = new Map<Cause, Finding[]>();
  for (const finding of findings) {
    if (finding.cause === null) continue;
    byCause.set(finding.cause, [...(byCause.get(finding.cause) ?? []), finding]);
  }
  return [...byCause].map(([cause, of]) => {
    const more = of.length > 1 ? ` And ${plural(of.length - 1, "more finding")} of the same cause.` : "";
    return { text: BY_CAUSE[cause], because: `${of.at(-1)!.text}${more}` };
  });
}

function byCaches({ summary, caches }: Known): Recommendation[] {
  const share = summary.repeatedPrompts / Math.max(summary.calls, 1);
  const because = `${plural(summary.repeatedPrompts, "prompt")} of ${summary.calls} had been asked before, word for word; answering them took ${duration(summary.repeatedMs)}.`;
  if (share < REPEATED_SHARE) return [];
  if (caches.hitRate === null) return [{ text: "Use the exact cache for calls at temperature 0.", because }];
  if (caches.hitRate >= LOW_HIT_RATE) return [];
  return [
    {
      text: "Let cache entries live longer, or allow more of them.",
      because: `The hit rate is ${percent(caches.hitRate)}. ${because}`,
    },
  ];
}

function bySizes({ summary }: Known): Recommendation[] {
  const recommendations: Recommendation[] = [];
  if (summary.cut > 0) {
    recommendations.push({
      text: "Update Ollama to 0.12.6 or later: it refuses prompts that do not fit instead of cutting them.",
      because: `${plural(summary.cut, "prompt")} ${summary.cut === 1 ? "was" : "were"} cut by the server.`,
    });
  }
  if (summary.shifted > 0) {
    recommendations.push({
      text: "Raise the output reserve or set numPredict, so that prompt and reply fit the window together.",
      because: `In ${plural(summary.shifted, "call")} prompt and reply passed the window, and the middle of the prompt was forgotten.`,
    });
  }
  return recommendations;
}

const ERROR_ADVICE: Readonly<Record<string, string>> = {
  OUT_OF_MEMORY: "Load fewer models at a time (OLLAMA_MAX_LOADED_MODELS), or a smaller one.",
  SERVER_BUSY: "Send fewer calls at a time, or raise OLLAMA_MAX_QUEUE.",
  SERVER_UNREACHABLE: "See that Ollama runs and restarts by itself.",
  LOAD_TIMEOUT: "Raise OLLAMA_LOAD_TIMEOUT, or take a smaller model.",
  CONTEXT_OVERFLOW: 'Shorten these prompts, or let them be trimmed (onOverflow: "trim").',
  CONTEXT_EXCEEDED: 'Shorten these prompts, or let them be trimmed (onOverflow: "trim").',
  RUNNER_CRASHED: "Look into Ollama's log for the reason, and update it.",
  TIMEOUT: "Give these calls more time, or a smaller model.",
};

function byErrors({ summary }: Known): Recommendation[] {
  return Object.entries(summary.errors)
    .filter(([code, count]) => code !== "ABORTED" && count >= FAILED_SHARE * summary.calls)
    .map(([code, count]) => ({
      text: ERROR_ADVICE[code] ?? "Look into the log of the program and of Ollama.",
      because: `${plural(count, "call")} of ${summary.calls} failed with ${code}.`,
    }));
}

function byTrend({ trends, findings }: Known): Recommendation[] {
  const { overall } = trends;
  // Where a cause is known, its own advice says more.
  if (!overall.enough || overall.verdict !== "degrading" || findings.some(({ cause }) => cause !== null))
    return [];
  return [
    {
      text: "Compare what changed: Ollama's version, the model, other programs on the machine, the length of prompts.",
      because: `Recent calls take ${duration(overall.recentMs)} where they took ${duration(overall.historyMs)} (p ${overall.p.toPrecision(1)}).`,
    },
  ];
}
