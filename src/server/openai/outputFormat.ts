/** A wanted form of the answer as Ollama's `format`. */
import type { Fields } from "./fields.js";

/**
 * @param format `response_format` of chat, `text.format` of responses
 * @param surface where chat completions have the schema below `json_schema`, responses have it beside the type
 * @returns a JSON schema, "json", or undefined for text
 */
export function outputFormat(format: Fields | undefined, surface: "chat" | "responses"): unknown {
  if (!format) return undefined;
  format.requiredText("type");
  const type = format.oneOf("type", ["text", "json_object", "json_schema"] as const);
  if (type === "text") return undefined;
  if (type === "json_object") return "json";
  if (surface === "responses") return format.requiredObject("schema").values;
  return format.requiredObject("json_schema").object("schema")?.values ?? "json";
}
