/** `/v1/models` from Ollama's list of installed models. */
import { installedModels } from "../../backend/ollama.js";
import type { WireModel } from "../../backend/wire.js";
import type { ServerContext } from "../options.js";
import { Refused } from "./refused.js";

export async function listModels(context: ServerContext, request: Request): Promise<Response> {
  const models = await installedModels(context, request.signal);
  return Response.json({ object: "list", data: models.map((model) => modelOf(model.name, model)) });
}

/** @param id with or without the tag `latest`, as Ollama takes it */
export async function retrieveModel(context: ServerContext, request: Request, id: string): Promise<Response> {
  const models = await installedModels(context, request.signal);
  const found = models.find(({ name }) => name === id || name === `${id}:latest`);
  if (!found) throw new Refused(`The model '${id}' does not exist.`, "model_not_found", "model", 404);
  return Response.json(modelOf(id, found));
}

function modelOf(id: string, { name, modified_at }: WireModel): unknown {
  const changed = Date.parse(modified_at ?? "");
  // "registry/owner/name:tag": everything before the name.
  const owner = name.slice(0, Math.max(0, name.lastIndexOf("/")));
  return {
    id,
    object: "model",
    created: Number.isNaN(changed) ? 0 : Math.floor(changed / 1000),
    owned_by: owner || "library",
  };
}
