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
  profiles: readonly Pick<ProfileRecord, "blob" | "calibration">[],
  version: string,
): readonly Finding[] {
  return models.flatMap(({ model, facts }) => {
    const blob = facts && blobOf(facts);
    if (!blob || !(facts.capabilities?.includes("completion") ?? true)) return [];
    const done = profiles.find((profile) => profile.blob === blob)?.calibration;
    const remedy = `langchain-ollama-optimizer calibrate ${model.name}`;
    if (!done) {
      return [
        finding(
          "memory",
          "note",
          `${model.name} was never calibrated: batch and spill are decided by what calls happen to show.`,
          remedy,
        ),
      ];
    }
    if (done.version !== version) {
      return [
        finding(
          "memory",
          "note",
          `${model.name} was calibrated on Ollama ${done.version ?? "unknown"}, which allots memory in another way than ${version}.`,
          remedy,
        ),
      ];
    }
    return [finding("memory", "ok", `${model.name} was calibrated on ${done.at.slice(0, 10)}.`)];
  });
}
