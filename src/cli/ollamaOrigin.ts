/** Where Ollama is, as people and `OLLAMA_HOST` say it. */
import { OptimizerError } from "../errors.js";

/** Ollama's own default. */
export const DEFAULT_ORIGIN = "http://127.0.0.1:11434";

/**
 * The origin that a value of `OLLAMA_HOST` names, as Ollama reads it: it may lack the scheme, the host or the port, stand
 * in quotes, and be an address to listen at. Without a trailing slash.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example ollamaOrigin("box") // "http://box:11434"
 * @example ollamaOrigin("0.0.0.0:8080") // "http://127.0.0.1:8080"
 * @example ollamaOrigin(":8080") // "http://127.0.0.1:8080"
 */
export function ollamaOrigin(value: string): string {
  const bare = value.trim().replace(/^(["'])(.*)\1$/, "$2");
  const named = bare.startsWith(":") && !bare.startsWith("::") ? `127.0.0.1${bare}` : bare;
  const hasScheme = /^https?:\/\//i.test(named);
  try {
    if (!hasScheme && named.includes("://")) throw new TypeError("a scheme that Ollama does not speak");
    const url = new URL(hasScheme ? named : `http://${named}`);
    if (url.hostname === "0.0.0.0") url.hostname = "127.0.0.1";
    if (url.hostname === "[::]") url.hostname = "[::1]";
    if (!hasScheme && url.port === "" && !/:80$/.test(named)) url.port = "11434";
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
