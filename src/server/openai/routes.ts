/** OpenAI's API. What is decided, and what is told about it, is the same as on Ollama's. */
import type { Hono } from "hono";
import type { ServerContext } from "../options.js";
import { readJsonBody } from "../requestBody.js";
import { chatCompletions } from "./chatCompletions.js";
import { completions } from "./completions.js";
import { embeddings } from "./embeddings.js";
import { Fields } from "./fields.js";
import { listModels, retrieveModel } from "./models.js";
import { Refused } from "./refused.js";
import { inputTokens, responses } from "./responses.js";

type Route = (context: ServerContext, request: Request, fields: Fields) => Promise<Response>;

const POSTS: Readonly<Record<string, Route>> = {
  "/v1/chat/completions": chatCompletions,
  "/v1/completions": completions,
  "/v1/embeddings": embeddings,
  "/v1/responses": responses,
  "/v1/responses/input_tokens": inputTokens,
};

export function addOpenAiRoutes(app: Hono, context: ServerContext): void {
  for (const [path, route] of Object.entries(POSTS)) {
    app.post(path, async ({ req }) => route(context, req.raw, await fieldsOf(context, req.raw)));
  }
  app.get("/v1/models", ({ req }) => listModels(context, req.raw));
  // Names have slashes and colons.
  app.get("/v1/models/:id{.+}", ({ req }) => retrieveModel(context, req.raw, req.param("id")));
  app.all("/v1/*", ({ req }) => {
    const isRoute = req.path in POSTS || req.path === "/v1/models" || req.path.startsWith("/v1/models/");
    throw isRoute
      ? new Refused(`Not allowed to ${req.method} on ${req.path}.`, "method_not_supported", null, 405)
      : new Refused(`Invalid URL (${req.method} ${req.path})`, null, null, 404);
  });
}

async function fieldsOf(context: ServerContext, request: Request): Promise<Fields> {
  const bytes = await readJsonBody(request, context.bodyLimitBytes);
  try {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      return new Fields(parsed as Readonly<Record<string, unknown>>);
    }
  } catch {
    // Refused below, like JSON that is no object.
  }
  throw new Refused("We could not parse the JSON body of your request: expected an object.", null, null);
}
