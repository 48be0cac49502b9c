/**
 * What differs between Ollama's versions, in one place. The fork is 0.30.0, which replaced the in-process
 * engines by a llama-server subprocess; the rest was read in the source of v0.24.0 and v0.33.0 and measured on
 * 0.24.0 and 0.34.0.
 */
export interface Generation {
  /** Before 0.12.6 `truncate` and `shift` are unknown fields: ignored. */
  readonly knowsTruncate: boolean;
  /** What is left of a prompt that is too long: the whole window, one token less, or about half of it. */
  readonly cut: "window" | "windowMinusOne" | "half";
  /** `shift` is a launch flag of the runner (`--context-shift`), so changing it reloads. */
  readonly shiftReloads: boolean;
  /** The server chooses `num_batch` and remembers that it was left out; so it does for `num_ctx`. */
  readonly remembersAuto: boolean;
  /** The engine pads its context to 256; a prompt that fits the padding is not refused. */
  readonly pads: boolean;
  /** A context error is llama-server's JSON inside the `error` string; before, a plain sentence. */
  readonly nestedContextError: boolean;
  /** `prompt_eval_cached_count` in the final record (since 0.33.3). */
  readonly countsCached: boolean;
  /** Evicted prompts stay in host memory, so that alternating prompts all hit. */
  readonly hostPromptCache: boolean;
  /** Only embedding models embed; others answer 501. */
  readonly embeddingNeedsPooling: boolean;
  /** Lists capabilities and windows in `/api/tags`, and names the tag in `/api/show`'s 404. */
  readonly detailedLists: boolean;
  /** `load_duration` of a call that loads nothing, in milliseconds. */
  readonly warmLoadMs: number;
}

/**
 * @param version e.g. "0.34.0"; other versions behave as the newest known one below them
 * @example generationOf("0.24.0").cut // "window"
 */
export function generationOf(version: string): Generation {
  const atLeast = (other: string): boolean => compareVersions(version, other) >= 0;
  const subprocess = atLeast("0.30.0");
  return {
    knowsTruncate: atLeast("0.12.6"),
    cut: !subprocess ? "window" : atLeast("0.30.11") ? "half" : "windowMinusOne",
    shiftReloads: subprocess,
    remembersAuto: subprocess,
    pads: subprocess,
    nestedContextError: subprocess,
    countsCached: atLeast("0.33.3"),
    hostPromptCache: subprocess,
    embeddingNeedsPooling: subprocess,
    detailedLists: subprocess,
    warmLoadMs: subprocess ? 1.1 : 2.1,
  };
}

function compareVersions(a: string, b: string): number {
  const parts = (version: string): number[] =>
    version.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
