/** `onOverflow: "trim"`: which messages stay when a prompt fits no window. */
import { type BaseMessage, trimMessages } from "@langchain/core/messages";

/** Tokens of a whole prompt of these messages. */
export type CountMessages = (messages: BaseMessage[]) => Promise<number>;

/**
 * Leaves out the oldest messages until the prompt has at most `maxTokens`. System messages at the head and the
 * last user message stay. Of the tool calls after it the oldest rounds go, a call together with its results,
 * and the latest round stays: without it an agent would only call the same tool again.
 *
 * @param maxTokens window less the output reserve
 * @returns null when it cannot be done by leaving out messages
 */
export async function trimToFit(
  messages: BaseMessage[],
  maxTokens: number,
  count: CountMessages,
): Promise<BaseMessage[] | null> {
  const isType = (type: string) => (message: BaseMessage) => message.getType() === type;
  const firstOther = messages.findIndex((message) => !isType("system")(message));
  if (firstOther < 0) return null;
  const lastUser = messages.findLastIndex(isType("human"));
  // Without a user message (a prompt of replies only) the last message is what must stay.
  const kept = lastUser < 0 ? messages.length - 1 : lastUser;
  const system = messages.slice(0, firstOther);
  const history = messages.slice(firstOther, kept);
  const question = messages.slice(kept, kept + 1);
  const rounds = messages.slice(kept + 1);

  const laterHistory = await latest(history, "human", maxTokens, (some) =>
    count([...system, ...some, ...question, ...rounds]),
  );
  if (laterHistory) return [...system, ...laterHistory, ...question, ...rounds];
  const laterRounds = await latest(rounds, "ai", maxTokens, (some) =>
    count([...system, ...question, ...some]),
  );
  return laterRounds?.length ? [...system, ...question, ...laterRounds] : null;
}

/** The longest end that starts with a message of `startOn` and fits, perhaps empty; null when nothing fits. */
async function latest(
  messages: BaseMessage[],
  startOn: "human" | "ai",
  maxTokens: number,
  count: CountMessages,
): Promise<BaseMessage[] | null> {
  const kept = await trimMessages(messages, {
    maxTokens,
    strategy: "last",
    startOn,
    // trimMessages hands over its candidates newest first.
    tokenCounter: (candidate: BaseMessage[]) => count(candidate.toReversed()),
  });
  if (kept.length > 0) return messages.slice(-kept.length);
  return (await count([])) <= maxTokens ? [] : null;
}
