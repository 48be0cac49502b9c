/** A message as `/api/chat` takes it. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly thinking?: string;
  readonly images?: readonly string[];
  readonly tool_calls?: readonly ChatToolCall[];
  readonly tool_name?: string;
  readonly tool_call_id?: string;
}

/** A tool call in a message, in Ollama's form. */
export interface ChatToolCall {
  readonly id?: string;
  readonly function: { readonly name: string; readonly arguments: unknown; readonly index?: number };
}

/** What else of a request decides how its prompt is rendered. */
export interface ChatContext {
  readonly tools?: readonly unknown[];
  readonly think?: boolean | string;
}

/**
 * The prompt that a server makes of messages (`_debug_render_only`), or null when it does not tell. It must be
 * asked while the model is loaded, with the loaded runner's options.
 */
export type RenderProbe = (
  messages: readonly ChatMessage[],
  tools: readonly unknown[] | undefined,
  think: boolean | string | undefined,
) => Promise<string | null>;

/** One value of a message that a template can show. `call` is the index of its tool call. */
export type FieldName = "content" | "thinking" | "tool_name" | "tool_call_id" | "name" | "id" | "arguments";
export interface Field {
  readonly name: FieldName;
  readonly call: number;
  readonly value: unknown;
}

/** True for a reply that carries its thinking inside the content, which templates of models that think take out. */
export function hasThought({ role, content }: ChatMessage): boolean {
  return role === "assistant" && content.includes(THOUGHT_END);
}
export const THOUGHT_END = "</think>";

/** The fields of a message that hold something. */
export function fieldsOf(message: ChatMessage): Field[] {
  const fields: Field[] = [];
  for (const name of ["content", "thinking", "tool_name", "tool_call_id"] as const) {
    if (message[name]) fields.push({ name, call: 0, value: message[name] });
  }
  message.tool_calls?.forEach(({ id, function: called }, call) => {
    fields.push({ name: "name", call, value: called.name });
    if (id) fields.push({ name: "id", call, value: id });
    fields.push({ name: "arguments", call, value: called.arguments });
  });
  return fields;
}
