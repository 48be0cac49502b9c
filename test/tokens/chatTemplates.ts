/** Templates as models have them, written as functions: what a server would render. */
import type { ChatMessage, RenderProbe } from "../../src/tokens/index.js";

export interface Template {
  readonly name: string;
  render(messages: readonly ChatMessage[], tools?: readonly unknown[], think?: boolean | string): string;
}

const calls = (message: ChatMessage, write: (name: string, args: unknown) => string): string =>
  (message.tool_calls ?? []).map((call) => write(call.function.name, call.function.arguments)).join("\n");

/** Qwen 2.5: a default system prompt, tools in the system message, results of tools in a user turn. */
export const qwen: Template = {
  name: "Qwen 2.5",
  render(messages, tools) {
    const system = messages[0]?.role === "system" ? messages[0].content : "You are Qwen.";
    const list = tools?.length
      ? `\n\n# Tools\n${tools.map((tool) => JSON.stringify(tool)).join("\n")}\n`
      : "";
    let text = `<|im_start|>system\n${system}${list}<|im_end|>\n`;
    messages.forEach((message, index) => {
      if (index === 0 && message.role === "system") return;
      if (message.role === "tool") {
        if (messages[index - 1]?.role !== "tool") text += "<|im_start|>user";
        text += `\n<tool_response>\n${message.content}\n</tool_response>`;
        if (messages[index + 1]?.role !== "tool") text += "<|im_end|>\n";
        return;
      }
      const called = calls(
        message,
        (name, args) => `\n<tool_call>\n{"name": "${name}", "arguments": ${spaced(args)}}\n</tool_call>`,
      );
      text += `<|im_start|>${message.role}\n${message.content}${called}<|im_end|>\n`;
    });
    return `${text}<|im_start|>assistant\n`;
  },
};

/** Llama 3: contents trimmed, results of tools as JSON. */
export const llama: Template = {
  name: "Llama 3",
  render(messages, tools) {
    const lastUser = messages.map(({ role }) => role).lastIndexOf("user");
    let text = "<|begin_of_text|>";
    messages.forEach((message, index) => {
      const list = index === lastUser && tools?.length ? `Tools: ${JSON.stringify(tools)}\n\n` : "";
      const content = message.role === "tool" ? JSON.stringify(message.content) : message.content.trim();
      const called = calls(message, (name, args) => `{"name":"${name}","parameters":${compact(args)}}`);
      const role = message.role === "tool" ? "ipython" : message.role;
      text += `<|start_header_id|>${role}<|end_header_id|>\n\n${list}${content}${called}<|eot_id|>`;
    });
    return `${text}<|start_header_id|>assistant<|end_header_id|>\n\n`;
  },
};

/** Qwen 3: thinking before the last user message is dropped; a think flag adds an empty thought. */
export const thinker: Template = {
  name: "Qwen 3",
  render(messages, _tools, think) {
    const lastUser = messages.map(({ role }) => role).lastIndexOf("user");
    let text = "";
    messages.forEach((message, index) => {
      const thought =
        message.thinking && index > lastUser ? `<think>\n${message.thinking.trim()}\n</think>\n\n` : "";
      text += `<|im_start|>${message.role}\n${thought}${message.content}<|im_end|>\n`;
    });
    return `${text}<|im_start|>assistant\n${think === false ? "<think>\n\n</think>\n\n" : ""}`;
  },
};

/** Go templates with `.System`: all system messages come first; equal roles in a row are joined. */
export const hoisting: Template = {
  name: "system first",
  render(messages) {
    const system = messages.filter(({ role }) => role === "system").map(({ content }) => content);
    let text = system.length > 0 ? `[SYS]${system.join("\n\n")}[/SYS]` : "";
    const rest = messages.filter(({ role }) => role !== "system");
    rest.forEach(({ role, content }, index) => {
      if (rest[index - 1]?.role === role) text += `\n\n${content}`;
      else text += `${index > 0 ? "</s>" : ""}[${role}] ${content}`;
    });
    return `${text}</s>[assistant] `;
  },
};

function compact(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${compact(item)}`).join(",")}}`.replace(
    /[<>&]/g,
    (unit) => `\\u00${unit.charCodeAt(0).toString(16)}`,
  );
}

function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${spaced(item)}`)
    .join(", ")}}`;
}

/** A probe that counts how often it is asked. */
export function probeOf(template: Template): RenderProbe & { asked: number } {
  const probe = Object.assign(
    async (messages: readonly ChatMessage[], tools?: readonly unknown[], think?: boolean | string) => {
      probe.asked++;
      return template.render(messages, tools, think);
    },
    { asked: 0 },
  );
  return probe;
}
