/** One route of the document. */
import type { Schema } from "./schema.js";

export type Operation = Readonly<Record<string, unknown>>;
/** By path, by method. */
export type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

export interface OperationParts {
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly body?: Schema;
  readonly isBodyOptional?: boolean;
  /** In the query, none of them required. */
  readonly query?: Readonly<Record<string, Schema>>;
  readonly path?: Readonly<Record<string, Schema>>;
  /** By media type. */
  readonly answer: Readonly<Record<string, Schema>>;
  readonly answerHeaders?: Readonly<Record<string, unknown>>;
  /** What a client is told of a failure. */
  readonly error: Schema;
  /** Beside those that every route has. */
  readonly failures?: readonly number[];
}

/** Of one media type. */
export function json(schema: Schema): Readonly<Record<string, Schema>> {
  return { "application/json": schema };
}

const WORDS: Readonly<Record<number, string>> = {
  400: "The request is not what it can be",
  401: "The token is missing or wrong",
  403: "This host, this origin or this route is not allowed",
  404: "There is no such model or route",
  405: "Not by this method",
  408: "The request came too slowly",
  413: "The request is larger than the body limit",
  499: "The client left",
  500: "Ollama failed, or this server did",
  501: "The model cannot do this",
  502: "Ollama is away, or its reply broke off",
  503: "A queue is full: call again after Retry-After",
};
/** A token and names are asked for everywhere. */
const EVERYWHERE = [401, 403];

export function operation(parts: OperationParts): Operation {
  const { body, query = {}, path = {}, failures = [] } = parts;
  const failed = [...(body ? [400, 408, 413] : []), ...EVERYWHERE, ...failures, 500];
  const parameters = [
    ...Object.entries(path).map(([name, schema]) => ({ name, in: "path", required: true, schema })),
    ...Object.entries(query).map(([name, schema]) => ({ name, in: "query", required: false, schema })),
  ];
  return {
    operationId: parts.id,
    tags: [parts.tag],
    summary: parts.summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: { required: !parts.isBodyOptional, content: contentOf(json(body)) },
    }),
    responses: {
      200: { description: "Done", content: contentOf(parts.answer), headers: parts.answerHeaders },
      ...Object.fromEntries(failed.map((status) => [status, failure(status, parts.error)])),
    },
  };
}

function failure(status: number, schema: Schema) {
  const headers =
    status === 503 ? { "Retry-After": { schema: { type: "integer" }, description: "Seconds" } } : undefined;
  return { description: WORDS[status], headers, content: contentOf(json(schema)) };
}

function contentOf(schemas: Readonly<Record<string, Schema>>) {
  return Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, { schema }]));
}
