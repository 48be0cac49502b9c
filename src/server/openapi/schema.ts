/** Short words for JSON Schema 2020-12, as OpenAPI 3.1 takes it. */

export type Schema = Readonly<Record<string, unknown>>;

export const text: Schema = { type: "string" };
export const number: Schema = { type: "number" };
export const integer: Schema = { type: "integer" };
export const count: Schema = { type: "integer", minimum: 0 };
export const yesOrNo: Schema = { type: "boolean" };
export const anything: Schema = {};
export const time: Schema = { type: "string", format: "date-time" };
/** Sent to Ollama untouched, or made by it. */
export const anyObject: Schema = { type: "object" };

export function orNull(schema: Schema): Schema {
  if (typeof schema.type === "string" && !schema.enum) return { ...schema, type: [schema.type, "null"] };
  return { anyOf: [schema, { type: "null" }] };
}

export function oneOf(...words: readonly string[]): Schema {
  return { type: "string", enum: words };
}

export function listOf(items: Schema, more: Schema = {}): Schema {
  return { type: "array", items, ...more };
}

export function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** Exactly these fields. */
export function object(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return { ...open(required, optional), additionalProperties: false };
}

/** These fields, and others that are not told of. */
export function open(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return { type: "object", properties: { ...required, ...optional }, required: Object.keys(required) };
}
