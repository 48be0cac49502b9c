/** The text of a message's content. */
import type { MessageContent } from "@langchain/core/messages";

/**
 * @example textOf([{ type: "text", text: "a" }, { type: "image_url", image_url: "data:,x" }, { type: "text", text: "b" }]) // "ab"
 */
export function textOf(content: MessageContent): string {
  if (typeof content === "string") return content;
  return content.map((block) => (block.type === "text" ? String(block.text) : "")).join("");
}
