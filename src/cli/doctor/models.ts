/** What the installed and the loaded models mean for windows and memory. */
import { blobOf, modelfileOptions, trainedNumCtx } from "../../backend/ollama.js";
import type { WireLoadedModel, WireModel, WireShow } from "../../backend/wire.js";
import { count, size } from "../terminal.js";
import { type Finding, finding } from "./finding.js";

/** An installed model with its facts; null where `/api/show` fails. */
export interface KnownModel {
  readonly model: WireModel;
  readonly facts: WireShow | null;
}

const isRemote = ({ model, facts }: KnownModel): boolean =>
  Boolean(model.remote_host ?? facts?.remote_host) || /[:-]cloud$/.test(model.name);

/** What is installed. */
export function modelFindings(models: readonly KnownModel[]): readonly Finding[] {
  if (models.length === 0) {
    return [
      finding("models", "error", "No model is installed.", "Install one, for example: ollama pull qwen3:4b"),
    ];
  }
  const local = models.filter((known) => !isRemote(known));
  return [
    ...models.map((known) => finding("models", "ok", `${described(known)}.`)),
    ...unreadable(models),
    ...(local.length < models.length
      ? [
          finding(
            "models",
            "note",
            `${models.length - local.length} of them run elsewhere (cloud): nothing is decided for those.`,
          ),
        ]
      : []),
    ...ownWindows(local),
    ...sharedWeights(local),
  ];
}

function described(known: KnownModel): string {
  if (isRemote(known)) return `${known.model.name}, in the cloud`;
  const trained = known.facts && trainedNumCtx(known.facts);
  const capabilities = known.facts?.capabilities?.join(", ");
  const notes = [
    size(known.model.size ?? 0),
    trained ? `trained for ${count(trained)}` : "trained window unknown",
    ...(capabilities ? [capabilities] : []),
  ];
  return `${known.model.name}: ${notes.join(", ")}`;
}

function unreadable(models: readonly KnownModel[]): Finding[] {
  return models
    .filter(({ facts }) => facts === null)
    .map(({ model }) =>
      finding(
        "models",
        "warning",
        `Ollama tells nothing about ${model.name}.`,
        `Install it anew: ollama rm ${model.name} && ollama pull ${model.name}`,
      ),
    );
}

function ownWindows(models: readonly KnownModel[]): Finding[] {
  return models.flatMap(({ model, facts }) => {
    const numCtx = facts && modelfileOptions(facts).num_ctx;
    return numCtx
      ? [
          finding(
            "window",
            "note",
            `The Modelfile of ${model.name} sets a window of ${count(numCtx)} for clients that set none.`,
          ),
        ]
      : [];
  });
}

/** Names of one blob share one runner; with two windows they take turns reloading it. */
function sharedWeights(models: readonly KnownModel[]): Finding[] {
  const byBlob = new Map<string, { name: string; numCtx: number | undefined }[]>();
  for (const { model, facts } of models) {
    const blob = facts && blobOf(facts);
    if (!blob) continue;
    const names = byBlob.get(blob) ?? [];
    byBlob.set(blob, [...names, { name: model.name, numCtx: modelfileOptions(facts).num_ctx }]);
  }
  return [...byBlob.values()].flatMap((names) => {
    if (new Set(names.map(({ numCtx }) => numCtx)).size < 2) return [];
    const list = names
      .map(({ name, numCtx }) => `${name} (${numCtx ? count(numCtx) : "default"})`)
      .join(", ");
    return [
      finding(
        "window",
        "warning",
        `Models of the same weights have different windows: ${list}. They share one runner, and each reloads the other's.`,
        "Use one of them, and leave the window to the optimizer; or give all of them the same num_ctx.",
      ),
    ];
  });
}

/** What is loaded now. */
export function loadedFindings(loaded: readonly WireLoadedModel[]): readonly Finding[] {
  if (loaded.length === 0) return [finding("memory", "note", "No model is loaded now.")];
  return loaded.map((entry) => {
    const { name, size: bytes, size_vram: vram, context_length: window } = entry;
    const what = `${name} is loaded${window === undefined ? "" : ` with a window of ${count(window)}`}: ${size(bytes)}`;
    if (vram >= bytes) return finding("memory", "ok", `${what}, all in GPU memory.`);
    if (vram === 0) return finding("memory", "note", `${what}, none of it in GPU memory.`);
    return finding(
      "memory",
      "warning",
      `${what}, of which ${Math.round(100 * (1 - vram / bytes))} % spilled from GPU to main memory: replies are several times slower.`,
      `Find the largest window that does not spill: langchain-ollama-optimizer calibrate ${name}. A quantized cache takes less: OLLAMA_FLASH_ATTENTION=1 OLLAMA_KV_CACHE_TYPE=q8_0 for \`ollama serve\`.`,
    );
  });
}
