/** The decision on a reply, typed: LangChain knows metadata as anything. */
import type { BaseMessage } from "@langchain/core/messages";
import type { DecisionRecord } from "../records.js";

/**
 * What was decided about a call, from its reply: of `invoke`, or the chunks of a stream joined by `concat`.
 *
 * @returns undefined for a reply of another class; of a reply from a cache, what was decided when it was made
 * @example
 * const reply = await model.invoke("Why is the sky blue?");
 * const { numCtx, reason } = decisionOf(reply) ?? {};
 * @example decisionOf({ response_metadata: { model: "tiny" } }) // undefined
 */
export function decisionOf(message: Pick<BaseMessage, "response_metadata">): DecisionRecord | undefined {
  const metadata: Readonly<Record<string, unknown>> = message.response_metadata;
  return metadata.optimizer as DecisionRecord | undefined;
}
