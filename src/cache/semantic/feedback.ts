/** What was judged so far, and the threshold that follows from it. */
import { OptimizerError } from "../../errors.js";
import { type FeedbackSample, type LearnedThreshold, learnThreshold } from "./threshold.js";

/** Older judgements give way to newer ones. */
const MAX_SAMPLES = 10_000;

export class Feedback {
  #samples: FeedbackSample[] = [];
  #learned: LearnedThreshold | null = null;

  /** @throws OptimizerError `OPTION_INVALID` for a bound that is none */
  constructor(readonly bound: number) {
    if (!(bound > 0 && bound < 1)) {
      throw new OptimizerError({
        code: "OPTION_INVALID",
        message: `wrongHits is ${bound}`,
        remedy: "Give a share above 0 and below 1, such as 0.01.",
      });
    }
  }

  /** Scores that are no numbers are left out. A pair counts once: repeated, it would show more than was judged. */
  add(samples: readonly FeedbackSample[]): void {
    const all = [...this.#samples, ...samples.filter(({ score }) => Number.isFinite(score))];
    const newest = new Map(all.map((sample, index) => [sample.pair ?? index, sample]));
    this.#samples = [...newest.values()].slice(-MAX_SAMPLES);
    this.#learned = null;
  }

  get samples(): readonly FeedbackSample[] {
    return this.#samples;
  }

  get learned(): LearnedThreshold {
    this.#learned ??= learnThreshold(this.#samples, this.bound);
    return this.#learned;
  }
}
