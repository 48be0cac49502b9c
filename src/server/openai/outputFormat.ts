/** A wanted form of the answer as Ollama's `format`. */
import type { Fields } from "./fields.js";

/**
 * @param format `response_format` of chat, `text.format` of responses: the one has its schema below
 *   `json_schema`, the other beside the type
 * @returns a JSON schema, "json", or undefined for text
 */
export function outputFormat(format: Fields | undefined): unknown {
  const type = format?.oneOf("type", ["text", "json_object", "json_schema"] as const);
  if (!format || type === undefined || type === "text") return undefined;
  if (type === "json_object") return "json";
  const schema = (format.object("json_schema") ?? format).object("schema");
  return schema?.values ?? "json";
}
