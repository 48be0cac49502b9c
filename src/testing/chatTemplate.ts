/** How a list of messages becomes the text a model sees: ChatML, as Qwen and SmolLM2 use it. */
import type { Capability } from "./model.js";

/** A message as it comes over the wire. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: string | null;
  readonly thinking?: string;
  readonly images?: readonly string[];
  readonly tool_calls?: readonly {
    readonly function: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> };
  }[];
  readonly tool_name?: string;
}

/** Everything a template may use. */
export interface ChatContents {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly unknown[];
  /** undefined when the model does not think. */
  readonly think: boolean | undefined;
}

/** Renders a prompt. */
export type RenderChat = (contents: ChatContents) => string;

/**
 * The default of models with tools. Others show neither a list of tools nor calls.
 *
 * @example
 * renderChat({ messages: [{ role: "user", content: "hi" }], tools: [], think: undefined })
 * // "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
 */
export function renderChat({ messages, tools, think }: ChatContents): string {
  const head = tools.length > 0 ? `<|im_start|>system\nFunctions: ${JSON.stringify(tools)}<|im_end|>\n` : "";
  const body = messages.map((message) => {
    const calls = message.tool_calls ?? [];
    const text =
      calls.length > 0
        ? calls
            .map((call) => JSON.stringify({ name: call.function.name, parameters: call.function.arguments }))
            .join("")
        : (message.content ?? "");
    return `<|im_start|>${message.role}\n${text}<|im_end|>\n`;
  });
  const tail = think === undefined ? "" : think ? "<think>\n" : "<think>\n\n</think>\n\n";
  return `${head}${body.join("")}<|im_start|>assistant\n${tail}`;
}

/** The default of models without tools. */
export function renderPlainChat({ messages, think }: ChatContents): string {
  const plain = messages.map(({ role, content }) => ({ role, content }));
  return renderChat({ messages: plain, tools: [], think });
}

/** The same as a Go template, for `/api/show`. */
export function chatTemplate(capabilities: readonly Capability[]): string {
  const tools = capabilities.includes("tools");
  const thinks = capabilities.includes("thinking");
  const head = tools
    ? "{{- if .Tools }}<|im_start|>system\nFunctions: {{ .Tools }}<|im_end|>\n{{ end }}"
    : "";
  const content = tools
    ? '{{ if .ToolCalls }}{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "parameters": {{ .Function.Arguments }}}{{ end }}{{ else }}{{ .Content }}{{ end }}'
    : "{{ .Content }}";
  const tail = thinks ? "{{ if .Think }}<think>\n{{ else }}<think>\n\n</think>\n\n{{ end }}" : "";
  return `${head}{{- range .Messages }}<|im_start|>{{ .Role }}\n${content}<|im_end|>\n{{ end }}<|im_start|>assistant\n${tail}`;
}
