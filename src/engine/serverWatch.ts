/**
 * What one server has installed and loaded. Answers from memory; asks in the background, at most every 2 s while
 * calls run; is awaited only for a model's first call, after a pause, when a reply showed that the model was loaded
 * anew, and while another client is about to load its own window.
 */

import type { ServerAddress } from "../backend/ollama.js";
import * as ollama from "../backend/ollama.js";
import type { WireLoadedModel, WireShow } from "../backend/wire.js";
import type { Logger } from "../logger.js";
import type { RunnerOptions } from "../records.js";
import { tokensPerImage } from "../tokens/imageTokens.js";

/** An installed model. */
export interface InstalledModel {
  readonly name: string;
  /** Digest of the manifest; another one after the model was made anew. Empty when the server does not tell. */
  readonly digest: string;
  /** Digest of the weights: names of one blob share one runner. Of weights in many files, that of the model. */
  readonly blob: string;
  /** Runs elsewhere (`:cloud`): nothing is decided for it. */
  readonly isRemote: boolean;
  readonly trainedNumCtx: number | null;
  readonly capabilities: readonly string[];
  /** Runner options of its Modelfile. */
  readonly modelfileOptions: RunnerOptions;
  /** Bytes of its Modelfile's SYSTEM, which stands in for a system message, and of its MESSAGEs. */
  readonly systemBytes: number;
  readonly messagesBytes: number;
  /** What an image in a prompt is counted as. */
  readonly tokensPerImage: number;
}

/** A loaded runner as the server shows it. */
export interface LoadedModel {
  readonly numCtx: number | null;
  readonly sizeBytes: number;
  readonly vramBytes: number;
  /** Milliseconds since the epoch; null when it never expires or is not told. */
  readonly expiresAt: number | null;
}

const REFRESH_MS = 2_000;
/** A look that takes longer holds nobody up: the server is busy, or does not tell. */
const SLOW_MS = 1_000;
const INSTALLED_MS = 30_000;

export class ServerWatch {
  private readonly models = new Map<string, InstalledModel>();
  private readonly learning = new Map<string, Promise<InstalledModel | null>>();
  private readonly blobs = new Map<string, string>();
  private loaded: readonly WireLoadedModel[] = [];
  private refreshing: Promise<void> | null = null;
  private digests: { readonly at: number; readonly byName: ReadonlyMap<string, string> } | null = null;
  /** When `/api/ps` was last asked with success; 0 before. Milliseconds since the epoch. */
  observedAt = 0;
  /** Calls on their way that go out as they were written: which runner they use is not known. */
  undecided = 0;
  private lastUse = 0;
  /** When `/api/ps` was last asked, and whether it took long to answer. */
  private askedAt = 0;
  private isSlow = false;
  private stale = true;

  constructor(
    public address: ServerAddress,
    private readonly now: () => number,
    private readonly logger: Logger,
  ) {}

  /** From memory; undefined before {@link learn}. */
  model(name: string): InstalledModel | undefined {
    return this.models.get(canonical(name));
  }

  /** A model's facts: asked once, and again when its digest changed. Null when the lists fail. */
  async learn(name: string, signal?: AbortSignal): Promise<InstalledModel | null> {
    const key = canonical(name);
    const known = this.models.get(key);
    if (known) return known;
    const under = this.learning.get(key);
    if (under) return under;
    const asked = this.ask(name, key, signal).finally(() => this.learning.delete(key));
    this.learning.set(key, asked);
    return asked;
  }

  private async ask(name: string, key: string, signal?: AbortSignal): Promise<InstalledModel | null> {
    try {
      const [facts, digests] = await Promise.all([
        ollama.show(this.address, name, signal),
        this.installedDigests(signal),
      ]);
      const digest = digests.get(key) ?? "";
      const model = describe(name, digest, facts);
      this.models.set(key, model);
      if (digest) this.blobs.set(digest, model.blob);
      return model;
    } catch (error) {
      this.logger.debug?.(`optimizer: facts of model "${name}" are not to be had (${codeOf(error)})`);
      return null;
    }
  }

  private async installedDigests(signal?: AbortSignal): Promise<ReadonlyMap<string, string>> {
    if (this.digests && this.now() - this.digests.at < 1_000) return this.digests.byName;
    const installed = await ollama.installedModels(this.address, signal);
    this.digests = {
      at: this.now(),
      byName: new Map(installed.map((model) => [canonical(model.name), model.digest])),
    };
    return this.digests.byName;
  }

  /** What is loaded of this model: by digest, then by blob, never by name alone. Null when nothing is. */
  loadedState(model: InstalledModel): LoadedModel | null {
    const entry =
      this.loaded.find((loaded) => loaded.digest === model.digest) ??
      this.loaded.find((loaded) => model.blob !== "" && this.blobs.get(loaded.digest) === model.blob);
    if (!entry) return null;
    const expires = entry.expires_at ? Date.parse(entry.expires_at) : Number.NaN;
    return {
      numCtx: entry.context_length ?? null,
      sizeBytes: entry.size,
      vramBytes: entry.size_vram,
      expiresAt: Number.isFinite(expires) ? expires : null,
    };
  }

  /**
   * The window of a model that is answering at this moment, of a look of its own: one under way may have been before
   * the load. Null where the server does not tell.
   */
  async windowNow(name: string): Promise<number | null> {
    try {
      const loaded = await ollama.loadedModels(this.address, AbortSignal.timeout(SLOW_MS));
      const digest = this.model(name)?.digest;
      const isIt = (entry: WireLoadedModel) =>
        entry.digest === digest || canonical(entry.name) === canonical(name);
      return loaded.find(isIt)?.context_length ?? null;
    } catch {
      return null;
    }
  }

  /** Other models in memory at the last look. */
  otherModelsLoaded(model: InstalledModel): { readonly count: number; readonly bytes: number } {
    const others = this.loaded.filter(
      (loaded) => loaded.digest !== model.digest && this.blobs.get(loaded.digest) !== model.blob,
    );
    return { count: others.length, bytes: others.reduce((sum, { size }) => sum + size, 0) };
  }

  /** The next decision waits for a fresh look. */
  markStale(): void {
    this.stale = true;
  }

  /**
   * Called before each decision. Returns a promise only when the decision has to wait for it: the first time,
   * after a pause in which another client may have come, and after {@link markStale}; but not for a server that is
   * slow to tell. Otherwise a due refresh starts in the background.
   */
  beforeDecision(): Promise<void> | null {
    const now = this.now();
    const isIdle = now - this.lastUse > REFRESH_MS;
    this.lastUse = now;
    if (this.refreshing && now - this.askedAt >= SLOW_MS) this.isSlow = true;
    if ((this.stale || isIdle) && !this.isSlow) return this.refresh();
    if (now - this.askedAt >= REFRESH_MS) void this.refresh();
    return null;
  }

  /** For calls of which nothing is decided, so that a model made anew is noticed where all replies are cached. */
  lookNowAndThen(): void {
    if (this.now() - this.askedAt >= INSTALLED_MS) void this.refresh();
  }

  /** Asks `/api/ps` now; calls at the same time share one request. Never rejects. */
  refresh(): Promise<void> {
    this.refreshing ??= this.look().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  private async look(): Promise<void> {
    const asked = this.now();
    this.askedAt = asked;
    try {
      this.loaded = await ollama.loadedModels(this.address, AbortSignal.timeout(5_000));
      this.observedAt = asked;
      this.stale = false;
      this.isSlow = this.now() - asked >= SLOW_MS;
      await this.learnUnknownBlobs();
      await this.noticeNewDigests(asked);
    } catch (error) {
      // A refusal that comes at once costs no time: a server that starts later is seen with the next call.
      this.isSlow = this.now() - asked >= SLOW_MS;
      this.logger.debug?.(`optimizer: the server does not tell what is loaded (${codeOf(error)})`);
    }
  }

  private async learnUnknownBlobs(): Promise<void> {
    for (const { digest, name } of this.loaded) {
      if (!this.blobs.has(digest) && !this.models.has(canonical(name))) await this.learn(name);
    }
  }

  /** A model made anew under its old name has another digest, and perhaps other weights and windows. */
  private async noticeNewDigests(now: number): Promise<void> {
    const isLoadedAnew = this.loaded.some(({ name, digest }) => {
      const known = this.models.get(canonical(name));
      return known !== undefined && known.digest !== digest;
    });
    if (!isLoadedAnew && this.digests && now - this.digests.at < INSTALLED_MS) return;
    const digests = await this.installedDigests();
    for (const [key, model] of this.models) {
      if (digests.get(key) !== model.digest) this.models.delete(key);
    }
  }
}

function describe(name: string, digest: string, facts: WireShow): InstalledModel {
  return {
    name,
    digest,
    blob: ollama.blobOf(facts) ?? digest,
    isRemote: Boolean(facts.remote_host) || /[:-]cloud$/.test(name),
    trainedNumCtx: ollama.trainedNumCtx(facts),
    capabilities: facts.capabilities ?? [],
    modelfileOptions: ollama.modelfileOptions(facts),
    systemBytes: Buffer.byteLength(facts.system ?? ""),
    messagesBytes: Buffer.byteLength(JSON.stringify(facts.messages ?? [])),
    tokensPerImage: tokensPerImage(facts.model_info),
  };
}

/** "qwen3" and "qwen3:latest" are one name. */
export function canonical(name: string): string {
  const lower = name.toLowerCase();
  return /:[^/]+$/.test(lower) ? lower : `${lower}:latest`;
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return String(code ?? name ?? "unknown");
}
