/** What was judged so far, and the threshold that follows from it. */
import { OptimizerError } from "../../errors.js";
import { type FeedbackSample, type LearnedThreshold, learnThreshold } from "./threshold.js";

/** Older judgements give way to newer ones. */
const MAX_SAMPLES = 10_000;

export class Feedback {
  readonly #samples: FeedbackSample[] = [];
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

  /** Scores that are no numbers are left out. */
  add(samples: readonly FeedbackSample[]): void {
    this.#samples.push(...samples.filter(({ score }) => Number.isFinite(score)));
    this.#samples.splice(0, Math.max(0, this.#samples.length - MAX_SAMPLES));
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
