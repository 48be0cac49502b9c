/** Calls of the test server, as short as tests like them. */
import type { OllamaServer } from "../../src/testing/index.js";

export type Json = Record<string, unknown>;

/** Words that are one token each in the tiny tokenizer. */
export function words(count: number): string {
  return Array.from({ length: count }, () => " the").join("");
}

export async function post(
  server: Pick<OllamaServer, "origin">,
  path: string,
  body: unknown,
): Promise<{ status: number; type: string | null; lines: Json[] }> {
  const reply = await fetch(server.origin + path, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await reply.text();
  const lines =
    text === ""
      ? []
      : text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as Json);
  return { status: reply.status, type: reply.headers.get("content-type"), lines };
}

/** One question to the model "tiny", answered in one piece. */
export async function ask(
  server: Pick<OllamaServer, "origin">,
  content: string,
  more: Json = {},
): Promise<Json & { status: number }> {
  const { status, lines } = await post(server, "/api/chat", {
    model: "tiny",
    messages: [{ role: "user", content }],
    stream: false,
    ...more,
  });
  return { ...lines[0], status };
}

export async function get(server: Pick<OllamaServer, "origin">, path: string): Promise<Json> {
  return (await (await fetch(server.origin + path)).json()) as Json;
}

/** Models in `/api/ps`. */
export async function loaded(server: Pick<OllamaServer, "origin">): Promise<Json[]> {
  return (await get(server, "/api/ps")).models as Json[];
}
