/** The record that a person means. */
import { OptimizerError } from "../../errors.js";
import type { ProfileRecord } from "../../records.js";
import type { Documents, OptimizerStore } from "../../storage/store.js";
import { nearest } from "../nearest.js";

const LISTED = 8;

/**
 * The one document whose id is, or begins with, what was typed.
 *
 * @throws OptimizerError `NOT_FOUND`
 */
export function documentOf<K extends "templates" | "rules">(
  store: OptimizerStore,
  kind: K,
  id: string,
): Documents[K] {
  const exact = store.get(kind, id);
  if (exact) return exact;
  const found: Documents[K][] = [];
  for (const document of store.list(kind)) if (document.id.startsWith(id)) found.push(document);
  const [only] = found;
  if (found.length === 1 && only) return only;
  throw new OptimizerError({
    code: "NOT_FOUND",
    message:
      found.length === 0
        ? `There is no ${kind.slice(0, -1)} "${id}" in ${store.location}`
        : `"${id}" may be ${found
            .slice(0, LISTED)
            .map((document) => document.id)
            .join(", ")}${found.length > LISTED ? " and more" : ""}`,
    remedy: `\`inspect ${kind}\` lists them.`,
  });
}

/**
 * The profiles of a model: one for each server that runs it.
 *
 * @param name as `ollama list` has it, with or without ":latest"; or the id of a profile
 * @throws OptimizerError `MODEL_NOT_FOUND`
 */
export function profilesOf(store: OptimizerStore, name: string): readonly ProfileRecord[] {
  const all = [...store.list("profiles")];
  const found = all.filter(
    ({ id, models = [] }) => id === name || models.includes(name) || models.includes(`${name}:latest`),
  );
  if (found.length > 0) return found;
  const names = [...new Set(all.flatMap(({ models = [] }) => models))].sort();
  const meant = nearest(name, names);
  throw new OptimizerError({
    code: "MODEL_NOT_FOUND",
    message: `Nothing is stored about a model "${name}" in ${store.location}${names.length > 0 ? `; there are ${names.join(", ")}` : ""}`,
    remedy: meant ? `Did you mean ${meant}?` : "Call it once, or calibrate it.",
  });
}
