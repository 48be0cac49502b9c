/** What the version of an Ollama server implies. */
import { type Finding, finding } from "./finding.js";

const UPDATE = "Update Ollama: https://ollama.com/download";

/**
 * @param version of `/api/version`
 * @example versionFindings("0.12.0")[1].severity // "error"
 */
export function versionFindings(version: string): readonly Finding[] {
  const number = numberOf(version);
  if (number === null) {
    return [
      finding(
        "server",
        "note",
        `Ollama says that its version is ${version}, as builds from source do; how it behaves is learned from its replies.`,
      ),
    ];
  }
  return [finding("server", "ok", `Ollama ${version} answers.`), ...cutting(number), ...counting(number)];
}

/** Since when a prompt can be refused rather than cut, and how much of it is left when it is cut. */
function cutting(number: number): Finding[] {
  if (number < at(0, 12, 6)) {
    return [
      finding(
        "server",
        "error",
        "This version cuts a prompt that exceeds the window without a word, and cannot be told to refuse it (`truncate: false` came with 0.12.6).",
        `${UPDATE}. Until then windows are sized by an upper bound, which costs memory.`,
      ),
    ];
  }
  const left =
    number < at(0, 30, 0)
      ? "what fits the window"
      : number < at(0, 30, 11)
        ? "the window less one token"
        : "half the window";
  const told =
    number < at(0, 30, 0) ? "without its length, so that a retry sizes by the count" : "with its length";
  return [
    finding(
      "server",
      "note",
      `It refuses a prompt that exceeds the window when asked to (${told}). Clients that do not ask have it cut to ${left}, silently.`,
    ),
  ];
}

function counting(number: number): Finding[] {
  const found: Finding[] = [];
  if (number >= at(0, 30, 0) && number < at(0, 30, 1)) {
    found.push(
      finding(
        "server",
        "warning",
        "0.30.0 leaves cached tokens out of its prompt counts, so that counts cannot be trusted.",
        UPDATE,
      ),
    );
  }
  if (number >= at(0, 30, 0) && number < at(0, 30, 8)) {
    found.push(
      finding("server", "note", "Before 0.30.8 a call with `shift: false` loses the prefix cache.", UPDATE),
    );
  }
  if (number < at(0, 33, 3)) {
    found.push(
      finding(
        "server",
        "note",
        "It does not tell how much of a prompt came from the prefix cache (0.33.3 does).",
      ),
    );
  }
  if (number >= at(0, 30, 0)) {
    found.push(
      finding(
        "server",
        "note",
        "Its engine keeps up to 8 GiB of earlier prompts in main memory for each loaded model, which /api/ps does not show; and only models made for embeddings embed.",
      ),
    );
  }
  return found;
}

const at = (major: number, minor: number, patch: number): number => (major * 1000 + minor) * 1000 + patch;

/** null for what says nothing: builds from source are 0.0.0. */
function numberOf(version: string): number | null {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  const number = at(Number(major), Number(minor), Number(patch));
  return Number.isNaN(number) || number === 0 ? null : number;
}
