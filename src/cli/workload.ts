/** The demo's calls: recurring templates with varying slots, a growing conversation, a few long one-offs. */

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

const WORDS =
  "about after all and are before but can come could day do each find first for from get give go have he house how in into is it know letter line long look made make many may more most name new no not now number of old on one or our out people place read right room said see she small so some take than that the their them then there these they thing this time to two up use want was water way we well were what when which who will with word work world would write year you your".split(
    " ",
  );

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

/**
 * Seeded nonsense of so many words.
 *
 * @example prose(5, () => 0) // "about about about about about."
 */
export function prose(words: number, random: () => number): string {
  const chosen = Array.from(
    { length: Math.max(1, words) },
    () => WORDS[Math.floor(random() * WORDS.length)]!,
  );
  return `${chosen.map((word, index) => (index % 12 === 11 ? `${word}.` : word)).join(" ")}.`;
}

/** Mulberry32: 32 bits of state, uniform in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
