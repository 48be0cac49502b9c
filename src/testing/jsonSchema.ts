/** A valid instance of a JSON schema: what a model that is held to `format` would answer at least. */

type Schema = Readonly<Record<string, unknown>>;

/**
 * The smallest instance: first of `enum`, all properties, minima where there are any.
 *
 * @param schema the JSON schema given as `format`, or "json"
 * @example schemaInstance({ type: "object", properties: { age: { type: "integer" } } }) // { age: 0 }
 */
export function schemaInstance(schema: unknown): unknown {
  return isSchema(schema) ? instance(schema, schema, 0) : {};
}

function instance(schema: Schema, root: Schema, depth: number): unknown {
  if ("const" in schema) return schema.const;
  if ("default" in schema) return schema.default;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if (typeof schema.$ref === "string")
    return depth > 8 ? null : next(resolve(schema.$ref, root), root, depth);
  for (const choice of ["anyOf", "oneOf"]) {
    const choices = schema[choice];
    if (Array.isArray(choices)) return next(choices[0], root, depth);
  }
  if (Array.isArray(schema.allOf)) {
    return Object.assign({}, ...schema.allOf.map((part: unknown) => next(part, root, depth)));
  }
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "string":
      return text(schema);
    case "integer":
    case "number":
      return numberIn(schema);
    case "boolean":
      return true;
    case "null":
      return null;
    case "array": {
      const length = typeof schema.minItems === "number" ? schema.minItems : 1;
      return Array.from({ length }, () => next(schema.items ?? {}, root, depth));
    }
    default:
      return properties(schema, root, depth);
  }
}

function next(schema: unknown, root: Schema, depth: number): unknown {
  return isSchema(schema) ? instance(schema, root, depth + 1) : null;
}

function properties(schema: Schema, root: Schema, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  if (!isSchema(schema.properties)) return result;
  const required = Array.isArray(schema.required) ? schema.required : Object.keys(schema.properties);
  for (const [name, property] of Object.entries(schema.properties)) {
    if (depth < 4 || required.includes(name)) result[name] = next(property, root, depth);
  }
  return result;
}

function text(schema: Schema): string {
  const formats: Record<string, string> = {
    date: "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    email: "a@example.com",
    uri: "https://example.com/",
    uuid: "00000000-0000-4000-8000-000000000000",
  };
  const word = formats[String(schema.format)] ?? "text";
  const minimum = typeof schema.minLength === "number" ? schema.minLength : 0;
  const maximum = typeof schema.maxLength === "number" ? schema.maxLength : Number.POSITIVE_INFINITY;
  return word.padEnd(minimum, "x").slice(0, maximum);
}

function numberIn(schema: Schema): number {
  if (typeof schema.minimum === "number") return schema.minimum;
  if (typeof schema.exclusiveMinimum === "number") return Math.floor(schema.exclusiveMinimum) + 1;
  if (typeof schema.maximum === "number") return Math.min(0, schema.maximum);
  return 0;
}

function resolve(reference: string, root: Schema): unknown {
  let found: unknown = root;
  for (const key of reference.replace(/^#\/?/, "").split("/").filter(Boolean)) {
    found = isSchema(found) ? found[key] : undefined;
  }
  return found;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
