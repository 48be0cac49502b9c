/** The demo's calls: recurring templates with varying slots, a growing conversation, a few long one-offs. */
import { prose, seededRandom } from "../calibration/prose.js";

export { prose, seededRandom };

/** As LangChain and Ollama both take it. */
export type Message = {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
};

export interface WorkloadOptions {
  readonly calls: number;
  readonly seed: number;
  /** Of the model, so that prompts are equally long on every model. */
  readonly tokensPerWord: number;
}

/** Longer than Ollama's default window on small machines, 4,096. */
const ONE_OFF_TOKENS = { least: 4600, most: 6400 };

const TEMPLATES = [
  ["You sort support tickets. Answer with billing, technical or other.", "Ticket from a customer:"],
  ["You translate notes into plain English. Answer with the translation only.", "Note:"],
  ["You give a report one short title.", "Report:"],
  ["You name the people and places of a text, as a list.", "Text:"],
] as const;

/**
 * The prompts of a seed, in order: of ten calls six come from templates, three from one conversation, and one is
 * long and never comes again.
 *
 * @example workload({ calls: 20, seed: 1, tokensPerWord: 1.3 }).length // 20
 */
export function workload({ calls, seed, tokensPerWord }: WorkloadOptions): Message[][] {
  const random = seededRandom(seed);
  const text = (tokens: number): string => prose(Math.round(tokens / tokensPerWord), random);
  const conversation: Message[] = [system("You are a patient teacher.")];
  return shuffledKinds(calls, random).map((kind) => {
    if (kind === "one-off") {
      const tokens = ONE_OFF_TOKENS.least + (ONE_OFF_TOKENS.most - ONE_OFF_TOKENS.least) * random();
      return [system("You sum up documents in one sentence."), user(text(tokens))];
    }
    if (kind === "conversation") {
      const prompt = [...conversation, user(text(60 + 120 * random()))];
      conversation.splice(0, Infinity, ...prompt, assistant(text(60 + 120 * random())));
      return prompt;
    }
    const [task, head] = TEMPLATES[Math.floor(random() * TEMPLATES.length)]!;
    return [system(task), user(`${head}\n${text(40 * 8 ** random())}`)];
  });
}

const system = (content: string): Message => ({ role: "system", content });
const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });

type Kind = "template" | "conversation" | "one-off";

/** The shares are exact, the order is not: Fisher and Yates (Durstenfeld 1964). */
function shuffledKinds(calls: number, random: () => number): Kind[] {
  const kinds = Array.from({ length: calls }, (_, index): Kind => {
    const place = index % 10;
    return place === 0 ? "one-off" : place < 4 ? "conversation" : "template";
  });
  for (let last = kinds.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [kinds[last], kinds[other]] = [kinds[other]!, kinds[last]!];
  }
  return kinds;
}
