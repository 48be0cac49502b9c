/** Where built servers and models are kept: outside the checkout, so that only a new machine pays for them. */
import { homedir } from "node:os";
import { join } from "node:path";

export const VERSIONS = ["0.34.0", "0.24.0"];

export const cacheFolder =
  process.env.OPTIMIZER_TOOLS_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "langchain-ollama-optimizer");

export const programOf = (version) => join(cacheFolder, `ollama-${version}`, "bin", "ollama");
export const modelsOf = (version) => join(cacheFolder, `models-${version}`);
export const sources = join(cacheFolder, "sources");
