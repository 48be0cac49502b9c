/** The JSON folder: a change log that everybody appends to, snapshots of what it adds up to, a request log. */
import { mkdirSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Low } from "lowdb";
import { OptimizerError } from "../../errors.js";
import type { RequestRecord } from "../../records.js";
import type { Backend, Memory, QueuedOperation, QueuedRequest } from "../backend.js";
import type { Committed } from "../commitQueue.js";
import type { DocumentOperation } from "../merge.js";
import type { DocumentKind, RequestQuery } from "../store.js";
import { ChangeLog, type LoggedLine, positionIn } from "./changeLog.js";
import { type DamageContext, type RecoveryContext, setAside } from "./damaged.js";
import { removeAbandoned } from "./durableWrite.js";
import { fileErrorCode, readFailure, writeFailure } from "./failure.js";
import { assertRealFolder, FOLDER_MODE } from "./folder.js";
import { type HeldLock, underLock } from "./lock.js";
import { RequestLog, type Retention } from "./requestLog.js";
import { emptySnapshot, smallDocuments } from "./smallDocuments.js";
import type { SnapshotFile, Through } from "./snapshotFile.js";
import { readStoreFile, STORE_FILE, writeStoreFile } from "./storeFile.js";
import {
  readShardIndex,
  readShards,
  renewShardIndex,
  type ShardIndex,
  writeShards,
} from "./templateShards.js";

const SMALL_KINDS = ["settings", "profiles", "rules"] as const;

/** When the change log is folded into the snapshots and old requests are removed. */
export interface JsonMaintenance {
  /** Small documents are written to their files this long after a change, in milliseconds. Default 5,000. */
  readonly foldMs?: number;
  /** Templates are written once the change log has this many bytes. Default 8 MiB. */
  readonly compactBytes?: number;
  /** Segments of the request log, in bytes. Default 8 MiB. */
  readonly segmentBytes?: number;
  /** How often old requests are removed, in milliseconds. Default 10 minutes. */
  readonly retainMs?: number;
  readonly retention?: Retention;
  /**
   * A file of the change log that was replaced is kept for so long, in milliseconds: a change whose writing takes
   * longer may be lost. Default 30,000.
   */
  readonly settleMs?: number;
}

export interface JsonBackendOptions extends JsonMaintenance, DamageContext {
  readonly folder: string;
  readonly schemaVersion: number;
  /** Names this process in the change log. */
  readonly writer: string;
  /** Carries an older store to this version first; writes wait for it. */
  readonly migrate?: () => Promise<void>;
  /** This is the place that a store is being carried to, or from: `store.json` says so later. */
  readonly isMigration?: boolean;
}

/** Templates smaller than this in sum are written whenever the store is closed, in bytes. */
const SMALL_TEMPLATES_BYTES = 1024 * 1024;
const LOAD_ATTEMPTS = 5;
/** How long a look at `store.json` holds good; a migration waits longer before it reads, in milliseconds. */
const CHECK_MS = 100;

export class JsonBackend implements Backend {
  readonly location: string;
  readonly abilities = { durable: true, sharedByProcesses: true, sharedByMachines: false };
  readonly patienceMs = 0;
  readonly schemaVersion: number;
  readonly #options: JsonBackendOptions;
  readonly #folder: string;
  readonly #templates: string;
  readonly #changes: ChangeLog;
  readonly #requests: RequestLog;
  readonly #recovery: RecoveryContext;
  readonly #small: Record<(typeof SMALL_KINDS)[number], Low<SnapshotFile>>;
  #shards: ShardIndex | null = null;
  /** False while memory is not the sum of the log up to our position: no snapshot may be made of it. */
  #isWhole = false;
  /** Kinds that changed since their file was written. */
  readonly #dirty = new Set<DocumentKind>();
  #foldAt = 0;
  #retainAt = 0;
  #maintaining: Promise<void> | null = null;
  #storeFileTime = Number.NaN;
  #checkedAt = Number.NEGATIVE_INFINITY;
  readonly #prepared: Promise<void>;

  constructor(options: JsonBackendOptions) {
    this.#options = options;
    this.location = options.folder;
    this.schemaVersion = options.schemaVersion;
    this.#folder = join(options.folder, `v${options.schemaVersion}`);
    this.#templates = join(this.#folder, "templates");
    const warn = (message: string) => options.logger.warn(message);
    this.#changes = new ChangeLog(join(this.#folder, "changes"), options.settleMs ?? 30_000, warn);
    this.#requests = new RequestLog({
      folder: join(this.#folder, "requests"),
      segmentBytes: options.segmentBytes ?? 8 * 1024 * 1024,
      now: options.now,
      warn,
    });
    this.#recovery = { ...options, isLogWhole: () => this.#changes.isWhole() };
    const small = (kind: DocumentKind) =>
      smallDocuments(join(this.#folder, `${kind}.json`), kind, this.#recovery);
    this.#small = { settings: small("settings"), profiles: small("profiles"), rules: small("rules") };
    this.#retainAt = options.now() + 60_000;
    if (options.migrate === undefined) this.#makeFolders();
    this.#prepared = options.migrate?.().then(() => this.#makeFolders()) ?? Promise.resolve();
    this.#prepared.catch(() => {});
  }

  #makeFolders(): void {
    for (const folder of [
      this.#folder,
      ...["changes", "requests", "templates"].map((name) => join(this.#folder, name)),
    ]) {
      try {
        mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
      } catch (error) {
        throw writeFailure(folder, error);
      }
      assertRealFolder(folder);
    }
  }

  async load(memory: Memory): Promise<void> {
    await this.#prepared;
    try {
      if (!this.#options.isMigration) await this.#ensureStoreFile();
      for (let attempt = 1; ; attempt++) {
        if (await this.#read(memory, attempt === LOAD_ATTEMPTS)) break;
      }
    } catch (error) {
      throw readFailure(this.location, error);
    }
    this.#isWhole = true;
  }

  async commit(operations: readonly QueuedOperation[], memory: Memory): Promise<Committed> {
    const refusal = await this.#checkVersion();
    if (refusal !== null) return { stored: 0, error: refusal };
    let isRead = false;
    const lines = operations.map((queued) => this.#line(queued));
    const committed = await this.#changes.append(lines, () => {
      isRead = true;
      for (const { kind, operation, sequence } of operations) {
        this.#dirty.add(kind);
        memory.apply(kind, operation, sequence);
      }
    });
    if (isRead) return committed;
    try {
      await this.#follow(memory);
    } catch (error) {
      this.#options.logger.warn(`${this.location} cannot be read: ${String(error)}`);
    }
    // Another process may have folded them already: then no line was read that would have ended them.
    for (const operation of operations.slice(0, committed.stored)) memory.settle(operation);
    return committed;
  }

  async append(requests: readonly QueuedRequest[]): Promise<Committed> {
    try {
      await this.#prepared;
    } catch (error) {
      return { stored: 0, error };
    }
    const refusal = await this.#checkVersion();
    if (refusal !== null) return { stored: 0, error: refusal };
    return this.#requests.append(requests.map(({ text }) => text));
  }

  async poll(memory: Memory): Promise<void> {
    await this.#follow(memory);
    this.#startMaintenance(memory);
  }

  requests(query: RequestQuery): AsyncIterable<RequestRecord> {
    return this.#requests.read(query);
  }

  async close(memory: Memory): Promise<void> {
    await this.#maintaining;
    try {
      if (this.#dirty.size > 0) await underLock(this.location, 0, (lock) => this.#foldAtClose(memory, lock));
    } catch (error) {
      // Everything acknowledged is in the change log; the files only become readable later.
      this.#options.logger.warn(writeFailure(this.#folder, error).message);
    }
    await this.#changes.close();
    await this.#requests.close();
  }

  async #ensureStoreFile(): Promise<void> {
    const { state } = readStoreFile(this.location);
    if (state === "whole") return;
    if (state === "damaged") {
      await setAside(join(this.location, STORE_FILE), "is not whole", "it is made anew", this.#options);
    }
    await writeStoreFile(this.location, { schemaVersion: this.#options.schemaVersion, kind: "store" });
  }

  get #compactBytes(): number {
    return this.#options.compactBytes ?? 8 * 1024 * 1024;
  }

  /** False when another process replaced files while we read them. */
  async #read(memory: Memory, isLastAttempt: boolean): Promise<boolean> {
    const through = new Map<DocumentKind, Through>();
    this.#shards = await readShardIndex(this.#templates, this.#recovery);
    for (const kind of SMALL_KINDS) {
      const low = this.#small[kind];
      low.data = emptySnapshot(kind);
      await low.read();
      through.set(kind, low.data.through);
      const ids = new Set<string>();
      for (const [id, text] of low.data.documents) {
        ids.add(id);
        memory.put(kind, id, text);
      }
      memory.keepOnly(kind, ids);
      low.data.documents = [];
    }
    if (!(await this.#readTemplates(memory, through, isLastAttempt)) && !isLastAttempt) return false;
    this.#changes.rewind([...through.values()]);
    const wasRead = await this.#changes.read((line) => this.#apply(line, memory, through));
    const now = await readShardIndex(this.#templates, this.#recovery);
    return (wasRead && now?.snapshot === this.#shards?.snapshot) || isLastAttempt;
  }

  async #readTemplates(
    memory: Memory,
    through: Map<DocumentKind, Through>,
    isLastAttempt: boolean,
  ): Promise<boolean> {
    const ids = new Set<string>();
    const put = (id: string, text: string) => {
      ids.add(id);
      memory.put("templates", id, text);
    };
    const state =
      this.#shards === null ? "whole" : await readShards(this.#templates, this.#shards, put, this.#recovery);
    const isFromLog = state === "damaged" || (state === "gone" && (await this.#changes.isWhole()));
    if (isFromLog) ids.clear();
    through.set("templates", (!isFromLog && this.#shards?.through) || {});
    if (state === "gone" && isLastAttempt) {
      this.#options.logger.warn(
        `${this.#templates} lacks files that its index names; their templates are lost${isFromLog ? " unless the change log has them" : ""}.`,
      );
    }
    memory.keepOnly("templates", ids);
    return state !== "gone";
  }

  /** Brings what was appended since into memory; reads everything anew after a long absence. */
  async #follow(memory: Memory): Promise<void> {
    if (this.#isWhole && (await this.#changes.read((line) => this.#apply(line, memory)))) return;
    this.#isWhole = false;
    await this.load(memory);
  }

  #apply(
    { value, file, end }: LoggedLine,
    memory: Memory,
    through?: ReadonlyMap<DocumentKind, Through>,
  ): void {
    if (!isLoggedChange(value)) {
      this.#options.logger.warn(
        `${join(this.#folder, "changes", file)} has a line that is not a change before byte ${end}.`,
      );
      return;
    }
    if (end <= positionIn(through?.get(value.kind) ?? {}, file)) return;
    this.#dirty.add(value.kind);
    memory.apply(
      value.kind,
      value.operation,
      value.writer === this.#options.writer ? value.sequence : undefined,
    );
  }

  #line({ kind, operation, sequence }: QueuedOperation): string {
    const { schemaVersion, writer } = this.#options;
    return JSON.stringify({ schemaVersion, writer, sequence, kind, operation } satisfies LoggedChange);
  }

  /** A process with a newer package may have carried the store to its version meanwhile. */
  async #checkVersion(): Promise<OptimizerError | null> {
    const now = performance.now();
    if (this.#options.isMigration || now - this.#checkedAt < CHECK_MS) return null;
    const time = await stat(join(this.location, STORE_FILE)).then(
      ({ mtimeMs, ino }) => mtimeMs + ino,
      (error: unknown) => (fileErrorCode(error) === "ENOENT" ? 0 : Number.NaN),
    );
    if (time === this.#storeFileTime) {
      this.#checkedAt = now;
      return null;
    }
    const { file } = readStoreFile(this.location);
    if (file !== null && (file.migrating || file.schemaVersion !== this.#options.schemaVersion)) {
      return new OptimizerError({
        code: "STORE_MIGRATED",
        message: `The store ${this.location} is being or was carried to another schema version by another program`,
        remedy: "Restart this program with the newer package.",
      });
    }
    this.#storeFileTime = time;
    return null;
  }

  #startMaintenance(memory: Memory): void {
    const now = this.#options.now();
    // A clock that was put back must not put maintenance off for ever.
    this.#foldAt = Math.min(this.#foldAt, now + this.#foldMs);
    this.#retainAt = Math.min(this.#retainAt, now + this.#retainMs);
    const isFoldDue = this.#dirty.size > 0 && now >= this.#foldAt;
    if (this.#maintaining !== null || (!isFoldDue && now < this.#retainAt)) return;
    this.#foldAt = now + this.#foldMs;
    this.#maintaining = this.#maintain(memory, isFoldDue)
      .catch((error: unknown) => this.#options.logger.warn(writeFailure(this.#folder, error).message))
      .finally(() => {
        this.#maintaining = null;
      });
  }

  get #foldMs(): number {
    return this.#options.foldMs ?? 5000;
  }

  get #retainMs(): number {
    return this.#options.retainMs ?? 10 * 60_000;
  }

  async #maintain(memory: Memory, isFoldDue: boolean): Promise<void> {
    await underLock(this.location, 0, async (lock) => {
      if (isFoldDue) {
        await this.#foldDue(memory, lock);
      }
      const now = this.#options.now();
      if (now < this.#retainAt || !lock.isHeld()) return;
      this.#retainAt = now + this.#retainMs;
      await this.#requests.retain(this.#options.retention ?? {});
      for (const folder of [this.location, this.#folder, this.#templates]) await removeAbandoned(folder);
    });
  }

  /** Small documents now, everything when much has gathered; then old files of the log may go. */
  async #foldDue(memory: Memory, lock: HeldLock): Promise<void> {
    // Another process may have done it.
    const index = await readShardIndex(this.#templates, this.#recovery);
    const isFull = (await this.#changes.sizeBeyond(index?.folded ?? {})) > this.#compactBytes;
    if (isFull) await this.#changes.rotate();
    await this.#fold(memory, lock, isFull);
    const { folded = {} } = (await readShardIndex(this.#templates, this.#recovery)) ?? {};
    if (this.#isWhole && lock.isHeld()) await this.#changes.removeFolded(folded);
  }

  async #foldAtClose(memory: Memory, lock: HeldLock): Promise<void> {
    let bytes = 0;
    for (const [, document] of memory.snapshot("templates")) {
      bytes += typeof document === "string" ? document.length : JSON.stringify(document).length;
      if (bytes > SMALL_TEMPLATES_BYTES) break;
    }
    await this.#fold(memory, lock, bytes <= SMALL_TEMPLATES_BYTES);
  }

  /**
   * Writes the documents to their files. Everything in the log must have been read first: another process may
   * have folded and removed a part of it that this one has not seen.
   */
  async #fold(memory: Memory, lock: HeldLock, withTemplates: boolean): Promise<void> {
    const isUpToDate = this.#isWhole && (await this.#changes.read((line) => this.#apply(line, memory)));
    if (!isUpToDate) {
      this.#isWhole = false;
      return;
    }
    const folded = this.#changes.through;
    for (const kind of SMALL_KINDS) {
      if (!lock.isHeld() || !this.#isWhole) return;
      if (this.#dirty.has(kind) || withTemplates)
        await this.#write(kind, () => this.#writeSmall(memory, kind));
    }
    if (!withTemplates || !lock.isHeld() || !this.#isWhole) return;
    const previous = await readShardIndex(this.#templates, this.#recovery);
    if (!this.#dirty.has("templates")) {
      const { schemaVersion } = this;
      await renewShardIndex(this.#templates, previous, { schemaVersion, folded });
      return;
    }
    await this.#write("templates", () => this.#writeTemplates(memory, previous, folded));
  }

  /** A kind is clean from the moment its documents are frozen, and dirty again when they were not written. */
  async #write(kind: DocumentKind, write: () => Promise<void>): Promise<void> {
    this.#dirty.delete(kind);
    try {
      await write();
    } catch (error) {
      this.#dirty.add(kind);
      throw error;
    }
  }

  async #writeSmall(memory: Memory, kind: (typeof SMALL_KINDS)[number]): Promise<void> {
    const low = this.#small[kind];
    const { through } = this.#changes;
    const documents = memory
      .snapshot(kind)
      .map(([id, document]): [string, string] => [
        id,
        typeof document === "string" ? document : JSON.stringify(document),
      ]);
    low.data = { schemaVersion: this.schemaVersion, kind, through, documents };
    await low.write();
    low.data = emptySnapshot(kind);
  }

  async #writeTemplates(memory: Memory, previous: ShardIndex | null, folded: Through): Promise<void> {
    const { through } = this.#changes;
    const documents = memory.snapshot("templates");
    const { schemaVersion } = this;
    const position = { schemaVersion, through, folded };
    if (!(await writeShards(this.#templates, previous, position, documents))) {
      this.#dirty.add("templates");
    }
  }
}

/** A line of the change log. */
interface LoggedChange {
  readonly schemaVersion: number;
  readonly writer: string;
  readonly sequence: number;
  readonly kind: DocumentKind;
  readonly operation: DocumentOperation;
}

function isLoggedChange(value: unknown): value is LoggedChange {
  if (typeof value !== "object" || value === null) return false;
  const { schemaVersion, writer, sequence, kind, operation } = value as Partial<
    Record<keyof LoggedChange, unknown>
  >;
  return (
    typeof schemaVersion === "number" &&
    typeof writer === "string" &&
    typeof sequence === "number" &&
    (kind === "templates" || SMALL_KINDS.some((small) => small === kind)) &&
    isOperation(operation)
  );
}

function isOperation(value: unknown): value is DocumentOperation {
  if (typeof value !== "object" || value === null) return false;
  const { type, id, change } = value as { type?: unknown; id?: unknown; change?: unknown };
  if (type === "remove") return typeof id === "string";
  if ((type !== "merge" && type !== "create") || typeof change !== "object" || change === null) return false;
  const stamped = change as { id?: unknown; updatedAt?: unknown };
  return typeof stamped.id === "string" && typeof stamped.updatedAt === "string";
}
