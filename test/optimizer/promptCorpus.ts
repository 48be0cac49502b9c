/**
 * Seeded text that shares what real prompts share: function words, a Zipfian vocabulary, stock phrases and
 * punctuation. Uniformly random words would make every template look unlike every other.
 */

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const FUNCTION_WORDS =
  "the of and to a in that is was it for on with as be by at this from or an are not have you your we they which but all if will can there their what when one do so who about has more would its into than them only some could these two may then other any our should such no each how he she i".split(
    " ",
  );
const STOCK_PHRASES = [
  "You are a helpful assistant.",
  "Answer in JSON.",
  "Think step by step.",
  "Do not make up facts.",
  "Use the following pieces of context to answer the question at the end.",
  "If you do not know the answer, say that you do not know.",
  "Write a short summary of the text below.",
  "Here is the text:",
];
const SYLLABLES =
  "ba ber ca con de di er fa ge hi in ka la li ma men mo na ne on pa per pro ra re ri sa se si ta te ter ti tion to tra un ve vi".split(
    " ",
  );

/** Words, sentences and prompts of one seed. */
export class PromptCorpus {
  private readonly vocabulary: string[];

  constructor(
    private readonly random: () => number,
    vocabularySize = 8_000,
  ) {
    this.vocabulary = Array.from({ length: vocabularySize }, () =>
      Array.from({ length: 2 + this.below(3) }, () => SYLLABLES[this.below(SYLLABLES.length)]).join(""),
    );
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** Nearly half function words, as in English; both kinds by rank as Zipf has it. */
  word(): string {
    const zipf = (words: readonly string[]): string =>
      words[Math.min(words.length - 1, Math.floor(words.length ** this.random()) - 1)]!;
    return this.random() < 0.45 ? zipf(FUNCTION_WORDS) : zipf(this.vocabulary);
  }

  words(count: number): string[] {
    return Array.from({ length: count }, () => this.word());
  }

  /** Prose of this many words, with commas, full stops and now and then a stock phrase. */
  prose(count: number): string[] {
    const words: string[] = [];
    while (words.length < count) {
      if (this.random() < 0.1) words.push(...STOCK_PHRASES[this.below(STOCK_PHRASES.length)]!.split(" "));
      const sentence = this.words(6 + this.below(14)).map((word) =>
        this.random() < 0.08 ? `${word},` : word,
      );
      sentence[0] = sentence[0]![0]!.toUpperCase() + sentence[0]!.slice(1);
      words.push(...sentence.slice(0, -1), `${sentence.at(-1)}.`);
    }
    return words.slice(0, count);
  }

  /** A fixed text with a slot: each call fills it anew. */
  template(length: number, slot: { readonly at: number; readonly words: number }): () => string {
    const fixed = this.prose(length - slot.words);
    return () => [...fixed.slice(0, slot.at), ...this.words(slot.words), ...fixed.slice(slot.at)].join(" ");
  }
}
