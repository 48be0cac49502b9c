/** Messages that ChatOllama's own conversion refuses or loses, rewritten into ones that it understands. */
import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { OptimizerError } from "../errors.js";
import { textOf } from "./text.js";
import { inCallOrder } from "./toolResults.js";

type Block = Readonly<Record<string, unknown>> & { readonly type: string };

/**
 * Rewrites what `@langchain/ollama` 1.3.0 cannot convert; everything else is passed through as it is.
 *
 * - Standard `image` blocks (it throws) become `image_url`.
 * - Replies in content blocks, as LangGraph's v3 streams keep them, become text: it drops their tool calls.
 * - Tool results in text blocks, as MCP tools give them, become text (it throws).
 * - Tool results come in the order of their calls.
 *
 * @throws OptimizerError `REQUEST_INVALID` for content that Ollama cannot take
 */
export function convertible(messages: BaseMessage[]): BaseMessage[] {
  const ordered = inCallOrder(messages);
  return ordered.some((message) => typeof message.content !== "string") ? ordered.map(rewrite) : ordered;
}

/** What is not rewritten into the result does not reach Ollama either. */
function rewrite(message: BaseMessage): BaseMessage {
  if (typeof message.content === "string") return message;
  const blocks = message.content as Block[];
  switch (message.getType()) {
    case "ai":
      return new AIMessage({
        content: textOf(message.content),
        tool_calls: (message as AIMessage).tool_calls ?? [],
      });
    case "tool": {
      const other = blocks.find((block) => block.type !== "text");
      if (other) throw unsupported(other.type, "a tool result");
      const { tool_call_id, name } = message as ToolMessage;
      return new ToolMessage({ tool_call_id, name, content: textOf(message.content) });
    }
    case "human":
    case "generic":
      return new HumanMessage({ content: blocks.map(userBlock) as HumanMessage["content"] });
    default:
      return message;
  }
}

function userBlock(block: Block): Block {
  if (block.type === "text") return block;
  if (block.type === "image_url") {
    const { image_url: image } = block;
    return imageBlock(typeof image === "string" ? image : (image as { url?: unknown } | undefined)?.url);
  }
  if (block.type !== "image") throw unsupported(block.type, "a user message");
  if (typeof block.data === "string") return imageBlock(`data:;base64,${block.data}`);
  if (block.data instanceof Uint8Array) {
    return imageBlock(`data:;base64,${Buffer.from(block.data).toString("base64")}`);
  }
  return imageBlock(block.url);
}

function imageBlock(url: unknown): Block {
  if (typeof url === "string" && /^data:.*?;base64,/.test(url.slice(0, 200)))
    return { type: "image_url", image_url: url };
  // ChatOllama would send an empty image here.
  throw new OptimizerError({
    code: "REQUEST_INVALID",
    message: "An image is given by an address or an id",
    remedy: "Ollama fetches nothing: load the image and pass its bytes in base64.",
  });
}

function unsupported(type: string, where: string): OptimizerError {
  return new OptimizerError({
    code: "REQUEST_INVALID",
    message: `Content of type "${type}" in ${where}`,
    remedy: "Ollama takes text, and images in user messages; convert it to one of these.",
  });
}
