/** Which models were measured, and whether that still holds. */
import { blobOf } from "../../backend/ollama.js";
import type { ProfileRecord } from "../../records.js";
import { type Finding, finding } from "./finding.js";
import type { KnownModel } from "./models.js";

/**
 * @param profiles of this server
 * @param version of the server
 */
export function calibrationFindings(
  models: readonly KnownModel[],
  profiles: readonly KnownProfile[],
  version: string,
): readonly Finding[] {
  const never: string[] = [];
  const found: Finding[] = [];
  for (const { model, facts } of models) {
    const blob = facts && blobOf(facts);
    if (!blob || !(facts.capabilities?.includes("completion") ?? true)) continue;
    const done = profiles.find((profile) => profile.blob === blob)?.calibration;
    if (!done) never.push(model.name);
    else found.push(outdated(model.name, done, version) ?? calibratedOn(model.name, done));
  }
  if (never.length > 0) {
    found.push(
      finding(
        "models",
        "note",
        `Never calibrated: ${never.join(", ")}. Their batch and what they spill are decided by what calls happen to show.`,
        `For one that is used much: langchain-ollama-optimizer calibrate ${mostUsed(never, profiles)}`,
      ),
    );
  }
  return found;
}

type KnownProfile = Pick<ProfileRecord, "blob" | "calibration"> &
  Partial<Pick<ProfileRecord, "models" | "counts">>;

/** Of these names, the one that most calls went to; without calls the first. */
function mostUsed(names: readonly string[], profiles: readonly KnownProfile[]): string {
  const calls = (name: string): number =>
    profiles.reduce((sum, { models = [], counts }) => {
      const isIts = models.some((model) => model === name || `${model}:latest` === name);
      return sum + (isIts ? (counts?.calls ?? 0) : 0);
    }, 0);
  return names.toSorted((a, b) => calls(b) - calls(a))[0]!;
}

type Done = NonNullable<ProfileRecord["calibration"]>;

function outdated(name: string, done: Done, version: string): Finding | null {
  if (done.version === version) return null;
  return finding(
    "models",
    "note",
    `${name} was calibrated on Ollama ${done.version ?? "unknown"}, which allots memory in another way than ${version}.`,
    `langchain-ollama-optimizer calibrate ${name}`,
  );
}

function calibratedOn(name: string, { at }: Done): Finding {
  return finding("models", "ok", `${name} was calibrated on ${at.slice(0, 10)}.`);
}
