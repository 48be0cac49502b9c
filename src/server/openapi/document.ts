/** `GET /openapi.json`: every route in OpenAPI 3.1. */
import { OLLAMA_PATHS, OLLAMA_SCHEMAS } from "./ollamaPaths.js";
import { OPENAI_PATHS, OPENAI_SCHEMAS } from "./openAiPaths.js";
import { OWN_PATHS, OWN_SCHEMAS } from "./ownPaths.js";
import { REPORT_PATHS, REPORT_SCHEMAS } from "./reportPaths.js";

export const OPENAPI_DOCUMENT: Readonly<Record<string, unknown>> = {
  openapi: "3.1.0",
  info: {
    title: "langchain-ollama-optimizer",
    version: "1",
    summary: "Ollama's and OpenAI's API with the window of each call decided",
    license: { name: "MIT", identifier: "MIT" },
  },
  tags: [{ name: "optimizer" }, { name: "ollama" }, { name: "openai" }],
  // Only asked for when the server was given a token.
  security: [{}, { token: [] }],
  paths: { ...OWN_PATHS, ...REPORT_PATHS, ...OLLAMA_PATHS, ...OPENAI_PATHS },
  components: {
    securitySchemes: { token: { type: "http", scheme: "bearer" } },
    schemas: { ...OWN_SCHEMAS, ...REPORT_SCHEMAS, ...OLLAMA_SCHEMAS, ...OPENAI_SCHEMAS },
  },
};
