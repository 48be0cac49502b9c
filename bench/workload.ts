/**
 * The seeded workload of the simulation and of the live benchmark: recurring templates with lognormal slots,
 * one-offs of 3,000 to 9,000 words, and conversations that grow until their prompt passes 32k tokens.
 */
import { seededRandom } from "../src/calibration/prose.js";

export interface WorkloadMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export type CallKind = "template" | "one-off" | "conversation";

/** One call. Text is made when it is asked for: 1,000 calls are 40 MB of it. */
export interface WorkloadCall {
  readonly kind: CallKind;
  /** Template or conversation; calls of one conversation extend each other. */
  readonly source: string;
  /** Words of the whole prompt. */
  readonly words: number;
  /** Words of the reply that a real model would give (the simulation's output tokens). */
  readonly replyWords: number;
  readonly extendsEarlierCall: boolean;
  messages(): readonly WorkloadMessage[];
}

export interface WorkloadOptions {
  readonly seed: number;
  /** @default 1000 */
  readonly calls?: number;
  /** Share of one-offs. @default 0.1 */
  readonly oneOffShare?: number;
  /** Share of conversation turns. @default 0.25 */
  readonly conversationShare?: number;
  /** A conversation ends with the first prompt of so many words. @default 32768 / TOKENS_PER_WORD */
  readonly conversationWords?: number;
  /** Median words of a turn (question or answer). @default 400 */
  readonly turnWords?: number;
}

/** Of English prose with the tokenizers of Qwen, Llama and SmolLM2; the simulation's exchange rate. */
export const TOKENS_PER_WORD = 1.3;
const TEMPLATES = 6;

/** A message as numbers: the same seed gives the same text. */
interface Part {
  readonly role: WorkloadMessage["role"];
  readonly words: number;
  readonly textSeed: number;
}

/**
 * The calls of a seed, in order.
 *
 * @example [...workload({ seed: 1, calls: 3 })].length // 3
 */
export function* workload(options: WorkloadOptions): Generator<WorkloadCall> {
  const random = seededRandom(options.seed);
  const calls = options.calls ?? 1000;
  const oneOffShare = options.oneOffShare ?? 0.1;
  const conversationShare = options.conversationShare ?? 0.25;
  const conversationWords = options.conversationWords ?? Math.ceil(32_768 / TOKENS_PER_WORD);
  const turnWords = options.turnWords ?? 400;
  const textSeed = () => Math.floor(random() * 2 ** 31);
  const templates = Array.from({ length: TEMPLATES }, () => ({
    system: { role: "system", words: Math.round(logNormal(random, 120, 0.6)), textSeed: textSeed() } as Part,
    slotMedian: 40 + 200 * random(),
    replyMedian: 40 + 200 * random(),
  }));
  let conversation: Part[] = [];
  let conversations = 0;
  for (let index = 0; index < calls; index++) {
    const draw = random();
    if (draw < oneOffShare) {
      const words = Math.round(3000 + 6000 * random());
      yield call("one-off", `one-off ${index}`, [{ role: "user", words, textSeed: textSeed() }], 150);
    } else if (draw < oneOffShare + conversationShare) {
      const extendsEarlierCall = conversation.length > 0;
      if (!extendsEarlierCall) {
        conversations++;
        conversation = [{ role: "system", words: 150, textSeed: textSeed() }];
      }
      conversation = [
        ...conversation,
        { role: "user", words: Math.round(logNormal(random, turnWords, 0.6)), textSeed: textSeed() },
      ];
      const replyWords = Math.round(logNormal(random, turnWords, 0.6));
      const turn = call("conversation", `conversation ${conversations}`, conversation, replyWords);
      yield { ...turn, extendsEarlierCall };
      conversation =
        turn.words >= conversationWords
          ? []
          : [...conversation, { role: "assistant", words: replyWords, textSeed: textSeed() }];
    } else {
      const which = Math.floor(random() * TEMPLATES);
      const template = templates[which]!;
      const slot = Math.round(logNormal(random, template.slotMedian, 0.8));
      const parts: Part[] = [template.system, { role: "user", words: slot, textSeed: textSeed() }];
      yield call(
        "template",
        `template ${which}`,
        parts,
        Math.round(logNormal(random, template.replyMedian, 0.5)),
      );
    }
  }
}

function call(kind: CallKind, source: string, parts: readonly Part[], replyWords: number): WorkloadCall {
  return {
    kind,
    source,
    words: parts.reduce((sum, part) => sum + part.words, 0),
    replyWords,
    extendsEarlierCall: false,
    messages: () => parts.map(({ role, words, textSeed }) => ({ role, content: prose(words, textSeed) })),
  };
}

const VOCABULARY =
  "the of and a to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part over new sound take only little work know place year live me back give most very after thing our just name good sentence man think say great where help through much before line right too mean old any same tell boy follow came want show also around form three small set put end does another well large must big even such because turn here why ask went men read need land different home us move try kind hand picture again change off play spell air away animal house point page letter mother answer found study still learn should world".split(
    " ",
  );

/** Seeded prose of exactly so many words, in sentences of 6 to 17. */
export function prose(words: number, seed: number): string {
  const random = seededRandom(seed);
  const out: string[] = [];
  let left = 0;
  for (let index = 0; index < words; index++) {
    if (left === 0) left = 6 + Math.floor(12 * random());
    const word = VOCABULARY[Math.floor(random() * VOCABULARY.length)]!;
    left--;
    out.push(left === 0 || index === words - 1 ? `${word}.` : word);
  }
  return out.join(" ");
}

/** Lognormal with the given median; Box-Muller. */
function logNormal(random: () => number, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.max(1, median * Math.exp(sigma * normal));
}
