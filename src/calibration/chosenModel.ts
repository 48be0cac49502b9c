/** The model that is to be measured, by the name a person gave. */
import { blobOf, installedModels, type ServerAddress, show } from "../backend/ollama.js";
import type { WireLoadedModel, WireModel, WireShow } from "../backend/wire.js";
import { OptimizerError } from "../errors.js";

export interface ChosenModel {
  readonly installed: WireModel;
  readonly facts: WireShow;
  /** Digest of the weights; empty when the server does not tell. */
  readonly blob: string;
}

/**
 * The installed model of a name, with or without a tag.
 *
 * @throws OptimizerError `MODEL_NOT_FOUND`, naming the models there are, and `MODEL_UNSUITABLE`
 */
export async function chosenModel(
  server: ServerAddress,
  wanted: string,
  signal: AbortSignal,
): Promise<ChosenModel> {
  const installed = await installedAs(server, wanted, signal);
  const facts = await show(server, installed.name, signal);
  if (!(facts.capabilities?.includes("completion") ?? true)) {
    throw unsuitable(installed.name, "does not answer prompts");
  }
  return { installed, facts, blob: blobOf(facts) ?? "" };
}

async function installedAs(server: ServerAddress, wanted: string, signal: AbortSignal): Promise<WireModel> {
  const installed = await installedModels(server, signal);
  const name = wanted.toLowerCase();
  const found = installed.find((model) => {
    const known = model.name.toLowerCase();
    return known === name || known === `${name}:latest`;
  });
  if (!found) {
    const names = installed.map((model) => model.name).join(", ");
    throw new OptimizerError({
      code: "MODEL_NOT_FOUND",
      message: `Ollama has no model "${wanted}"; it has ${names || "none"}`,
      remedy: `${names ? "Name one of them, or run" : "Run"} \`ollama pull ${wanted}\`.`,
    });
  }
  if (found.remote_host || /[:-]cloud$/.test(found.name)) throw unsuitable(found.name, "runs elsewhere");
  return found;
}

function unsuitable(model: string, why: string): OptimizerError {
  return new OptimizerError({
    code: "MODEL_UNSUITABLE",
    message: `${model} ${why}, so there is nothing to measure`,
    remedy: "Name a local model whose `ollama show` lists the capability completion.",
  });
}

/** Names among the loaded models that share these weights: `/api/ps` lists only the one that loaded them. */
export async function namesOfBlob(
  server: ServerAddress,
  loaded: readonly WireLoadedModel[],
  blob: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const blobs = await Promise.all(
    loaded.map(async ({ name }) => [name, blobOf(await show(server, name, signal))] as const),
  );
  return new Set(blobs.filter(([, other]) => blob !== "" && other === blob).map(([name]) => name));
}
