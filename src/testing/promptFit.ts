/** The prompt as the engine gets it: rendered, shortened where it is too long, or refused. */
import type { Question } from "./answer.js";
import type { ChatMessage } from "./chatTemplate.js";
import type { Generation } from "./generation.js";
import { Refusal } from "./goJson.js";
import { cutPrompt, exceedsWindow, fittingMessages, paddedWindow } from "./windows.js";

/** What becomes of a prompt. Counts are tokens. */
export interface FittedPrompt {
  /** After whole messages were dropped. */
  readonly text: string;
  readonly droppedMessages: number;
  /** Of the prompt as it came. */
  readonly wholeTokens: number;
  /** Of `text`. */
  readonly length: number;
  /**
   * The tokens that are evaluated.
   *
   * @throws Refusal 400 when the prompt is too long and may not be cut
   */
  tokens(): readonly number[];
}

/** Ollama counts an image as 768 tokens when it looks for messages to drop. */
const imageTokens = 768;

export function fitPrompt(question: Question, generation: Generation): FittedPrompt {
  const { model, slot, truncate } = question;
  const { tokenizer } = model;
  const render = (messages: readonly ChatMessage[]): string =>
    question.text ?? model.render({ messages, tools: question.tools, think: question.think });
  const images = (messages: readonly ChatMessage[]): number =>
    model.capabilities.includes("vision")
      ? imageTokens * messages.reduce((sum, message) => sum + (message.images?.length ?? 0), 0)
      : 0;
  const count = (messages: readonly ChatMessage[]): number =>
    tokenizer.encode(render(messages)).length + images(messages);
  const encode = (messages: readonly ChatMessage[]): number[] => [
    ...tokenizer.encodePrompt(render(messages)),
    ...new Array<number>(images(messages)).fill(-1),
  ];

  const kept =
    truncate && question.text === null
      ? fittingMessages(question.messages, count, slot.numCtx)
      : question.messages;
  const tokens = encode(kept);
  return {
    text: render(kept),
    droppedMessages: question.messages.length - kept.length,
    wholeTokens: kept === question.messages ? tokens.length : encode(question.messages).length,
    length: tokens.length,
    tokens() {
      // A prompt with images is never cut (`llm/llama_server.go`), so the engine refuses it.
      if (!truncate || images(kept) > 0) {
        if (exceedsWindow(tokens.length, slot.numCtx, generation))
          throw contextError(tokens.length, slot.numCtx, generation);
        return tokens;
      }
      const limits = {
        numCtx: slot.numCtx,
        numKeep: (question.options.num_keep as number | undefined) ?? 4,
        addsBos: tokenizer.addsBos,
      };
      const cut = cutPrompt(tokens, limits, generation);
      if (cut.length < tokens.length && generation.shiftReloads && !question.shift) {
        throw new Refusal(
          400,
          "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the context length in settings, or use a model with a longer context length",
        );
      }
      return cut;
    },
  };
}

/** A sentence before 0.30, llama-server's JSON in a string after. */
function contextError(promptTokens: number, numCtx: number, generation: Generation): Refusal {
  if (!generation.nestedContextError) return new Refusal(400, "the input length exceeds the context length");
  const window = paddedWindow(numCtx, generation);
  return new Refusal(
    400,
    JSON.stringify({
      error: {
        code: 400,
        message: `request (${promptTokens} tokens) exceeds the available context size (${window} tokens), try increasing it`,
        type: "exceed_context_size_error",
        n_prompt_tokens: promptTokens,
        n_ctx: window,
      },
    }),
  );
}
