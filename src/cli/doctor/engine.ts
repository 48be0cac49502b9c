/** How the server was started, as its log tells. */
import { count, counted } from "../terminal.js";
import { type Finding, finding } from "./finding.js";
import type { LogFacts } from "./serverLog.js";

const HOW_TO_SET =
  "Set it in the environment of `ollama serve` (systemctl edit ollama, launchctl setenv, or Windows' system settings) and start it again.";

/** @param log null when it could not be read */
export function engineFindings(log: LogFacts | null): readonly Finding[] {
  if (!log) {
    return [
      finding(
        "engine",
        "note",
        "Ollama's log could not be read, so its default window, flash attention, cache type and parallel calls are not known.",
        "Name it with --log FILE, or keep one: ollama serve 2> ollama.log",
      ),
    ];
  }
  return [defaultWindow(log), ...failures(log), ...attention(log), ...parallel(log)];
}

function failures({ failedLoads, lastFailure }: LogFacts): Finding[] {
  if (failedLoads === 0) return [];
  const text = `${counted(failedLoads, "load")} failed since the server's start`;
  if (lastFailure === null) return [finding("engine", "note", `${text}; the last one did not.`)];
  return [finding("engine", "error", `${text}, the last one for: ${lastFailure}.`, remedyOf(lastFailure))];
}

function remedyOf(failure: string): string {
  // 0.24.0 leaves the cache unquantized then; 0.34.0 loads nothing.
  if (/quantized .*requires flash_attn/i.test(failure)) {
    return `OLLAMA_FLASH_ATTENTION=1, or no OLLAMA_KV_CACHE_TYPE. ${HOW_TO_SET}`;
  }
  if (/memory|alloc/i.test(failure))
    return "Unload other models (ollama stop NAME), or use a smaller window or model.";
  return "Read what the server's log says before it.";
}

function defaultWindow({ settings, defaultNumCtx }: LogFacts): Finding {
  const set = Number(settings.OLLAMA_CONTEXT_LENGTH ?? 0);
  const numCtx = set > 0 ? set : defaultNumCtx;
  if (numCtx === null) {
    return finding(
      "window",
      "note",
      "The default window is not in the log: its start is missing or from before 0.15.5.",
    );
  }
  const why = set > 0 ? "OLLAMA_CONTEXT_LENGTH" : "by the size of GPU memory";
  return finding(
    "window",
    "note",
    `Calls that set no window get ${count(numCtx)} tokens (${why}); what exceeds it is cut silently.`,
    "Use OptimizedChatOllama, or send other programs through langchain-ollama-optimizer serve.",
  );
}

function attention({ flashAttention, cacheType, settings }: LogFacts): Finding[] {
  const wanted = settings.OLLAMA_KV_CACHE_TYPE ?? "";
  const found: Finding[] = [];
  if (flashAttention !== null || cacheType !== null) {
    const state = flashAttention === null ? "not told" : flashAttention ? "on" : "off";
    found.push(
      finding(
        "engine",
        "ok",
        `At the last load flash attention was ${state}, the cache's type ${cacheType ?? "not told"}.`,
      ),
    );
  }
  if (flashAttention === false) {
    found.push(
      finding(
        "engine",
        "warning",
        "Without flash attention a prompt takes more memory for each token of the window, and the cache cannot be quantized.",
        `OLLAMA_FLASH_ATTENTION=1, if the model and the GPU support it. ${HOW_TO_SET}`,
      ),
    );
  }
  if (wanted !== "" && cacheType !== null && wanted !== cacheType) {
    found.push(
      finding(
        "engine",
        "warning",
        `OLLAMA_KV_CACHE_TYPE is ${wanted}, but the last load used ${cacheType}.`,
        `A quantized cache needs flash attention: OLLAMA_FLASH_ATTENTION=1. ${HOW_TO_SET}`,
      ),
    );
  }
  return found;
}

function parallel({ settings }: LogFacts): Finding[] {
  const calls = Number(settings.OLLAMA_NUM_PARALLEL || 1);
  if (calls <= 1)
    return [finding("engine", "ok", "Each model answers one call at a time (OLLAMA_NUM_PARALLEL).")];
  return [
    finding(
      "engine",
      "note",
      `Each model answers ${calls} calls at once (OLLAMA_NUM_PARALLEL): its cache takes ${calls} times the memory of one window.`,
      `When it spills: OLLAMA_NUM_PARALLEL=1. ${HOW_TO_SET}`,
    ),
  ];
}
