/** Which model a name means now: it may be made anew, with other weights, another system prompt or other options. */
import { installedModels, type ServerAddress } from "../../backend/ollama.js";
import { canonical } from "../../engine/serverWatch.js";

/** So often, in milliseconds, it is looked whether the models are still the same. */
const LOOK_AGAIN_MS = 5_000;
/** A server that is away or hangs does not keep a cache from answering. */
const LONGEST_LOOK_MS = 1_000;

export class ModelDigests {
  #byName: ReadonlyMap<string, string> = new Map();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #look: Promise<void> = Promise.resolve();

  /** Digest of a model; "" when the server does not tell. */
  async of(server: ServerAddress, model: string): Promise<string> {
    const now = performance.now();
    if (now - this.#lookedAt >= LOOK_AGAIN_MS) {
      this.#lookedAt = now;
      this.#look = this.#lookAt(server, now);
    }
    await this.#look;
    return this.#byName.get(canonical(model)) ?? "";
  }

  /** The next call looks first. */
  lookAgain(): void {
    this.#lookedAt = Number.NEGATIVE_INFINITY;
  }

  async #lookAt(server: ServerAddress, at: number): Promise<void> {
    try {
      const models = await installedModels(server, AbortSignal.timeout(LONGEST_LOOK_MS));
      // Not when a later look began.
      if (this.#lookedAt === at)
        this.#byName = new Map(models.map(({ name, digest }) => [canonical(name), digest]));
    } catch {
      // What was known stays.
    }
  }
}
