/** Where Ollama is, as people and `OLLAMA_HOST` say it. */
import { OptimizerError } from "../errors.js";

/** Ollama's own default. */
export const DEFAULT_ORIGIN = "http://127.0.0.1:11434";

/**
 * The origin that a value of `OLLAMA_HOST` names: it may lack the scheme and the port, and may be an address to
 * listen at. Without a trailing slash.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example ollamaOrigin("box") // "http://box:11434"
 * @example ollamaOrigin("0.0.0.0:8080") // "http://127.0.0.1:8080"
 */
export function ollamaOrigin(value: string): string {
  const hasScheme = /^https?:\/\//.test(value);
  try {
    const url = new URL(hasScheme ? value : `http://${value}`);
    if (url.hostname === "0.0.0.0") url.hostname = "127.0.0.1";
    if (!hasScheme && url.port === "" && !/:80$/.test(value)) url.port = "11434";
    return url.href.replace(/\/+$/, "");
  } catch {
    throw new OptimizerError({
      code: "OPTION_INVALID",
      message: `"${value}" is no address of an Ollama server`,
      remedy: "Give host:port or a URL, by a flag or OLLAMA_HOST.",
    });
  }
}

/** Whether the server runs on this machine, whose memory and logs can be looked at. */
export function isLocal(origin: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(origin).hostname);
}
