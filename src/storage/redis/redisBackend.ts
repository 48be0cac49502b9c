/** The Redis driver: merges run inside the server, numbered so that none is lost or doubled. */
import { randomUUID } from "node:crypto";
import { silentLogger } from "../../logger.js";
import type { RequestRecord, StoredRecord } from "../../records.js";
import {
  type Backend,
  byDocument,
  type Memory,
  type QueuedOperation,
  type QueuedRequest,
} from "../backend.js";
import type { Committed } from "../commitQueue.js";
import { type FlatCounts, flattenChange, unflatten } from "../flatDocument.js";
import { documentId } from "../merge.js";
import type { StoreOptions } from "../queuedStore.js";
import { matcherOf, startOf } from "../requestQuery.js";
import { CALL_MS, callServer, onceDone } from "../serverCall.js";
import { DOCUMENT_KINDS, type DocumentKind, type RequestQuery, type StoreAbilities } from "../store.js";
import { type RedisClient, runScript } from "./redisClient.js";
import { APPEND, APPLY, CHANGES, REQUESTS, RETAIN } from "./scripts.js";

export interface RedisStoreOptions extends StoreOptions {
  /** Begins all keys. Default "optimizer:". In a cluster it needs a hash tag: "{optimizer}:". */
  readonly prefix?: string;
  /** Requests older than this go. Default 90 days. */
  readonly retentionDays?: number;
  /** More requests than this go, the oldest first. Default 1,000,000. */
  readonly retentionRecords?: number;
}

const PAGE = 500;
const RETAIN_MS = 10 * 60_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** For people. */
export function locationOf(prefix: string): string {
  return `Redis, prefix ${prefix}`;
}

/** What the keys of one version have after the store's prefix. */
export function versionPart(version: number): string {
  return `v${version}:`;
}

export class RedisBackend implements Backend {
  readonly location: string;
  readonly abilities: StoreAbilities = { durable: true, sharedByProcesses: true, sharedByMachines: true };
  readonly schemaVersion: number;
  readonly patienceMs: number = CALL_MS;
  readonly #client: RedisClient;
  readonly #meta: string;
  readonly #part: string;
  /** What writes name as the version they are for; "" while carrying a store over. */
  readonly #checked: string;
  readonly #options: RedisStoreOptions;
  readonly #writer = randomUUID();
  #version = 0;
  /** Of the store that the version is of; null before the first look. */
  #life: unknown = null;
  #loads = 0;
  #lastPoll = 0;
  #retainAt: number;
  readonly #prepared: () => Promise<void>;
  readonly #onError = (error: Error) =>
    (this.#options.logger ?? silentLogger).debug?.(`${this.location}: ${error.message}`);

  /** @param prepare brings the store to this version; absent while carrying a store over */
  constructor(
    client: RedisClient,
    prefix: string,
    schemaVersion: number,
    options: RedisStoreOptions,
    prepare?: () => Promise<void>,
  ) {
    this.#client = client;
    this.#meta = `${prefix}meta`;
    this.#part = versionPart(schemaVersion);
    this.#checked = prepare === undefined ? "" : String(schemaVersion);
    this.#prepared = onceDone(prepare ?? (async () => {}));
    this.#options = options;
    this.schemaVersion = schemaVersion;
    this.location = locationOf(prefix);
    this.#retainAt = this.#now() + 60_000;
    // A client without a listener ends the process when its server goes away.
    client.on?.("error", this.#onError);
  }

  async load(memory: Memory): Promise<void> {
    await this.#prepared();
    const ids = new Map<DocumentKind, Set<string>>(DOCUMENT_KINDS.map((kind) => [kind, new Set()]));
    [this.#version, this.#life] = [0, null];
    // Until all is read: one that broke off is begun again.
    this.#lastPoll = Number.NEGATIVE_INFINITY;
    const load = ++this.#loads;
    while (await this.#readChanges(memory, (kind, id) => ids.get(kind)?.add(id))) {}
    // The server came back with other data in the midst: all of that was read.
    if (load !== this.#loads) return;
    for (const [kind, kept] of ids) memory.keepOnly(kind, kept);
    this.#lastPoll = this.#now();
  }

  async commit(operations: readonly QueuedOperation[], memory: Memory): Promise<Committed> {
    try {
      const words = JSON.stringify(operations.map(asScriptInput));
      const results = await this.#run(APPLY, [this.#checked, this.#writer, words]);
      const own = byDocument(operations);
      for (const result of asList(results)) {
        const [member, document] = asList(result);
        const { kind, id } = parseMember(String(member));
        memory.put(kind, id, toDocument(id, document), own.get(String(member)));
      }
      return { stored: operations.length };
    } catch (error) {
      return { stored: 0, error };
    }
  }

  async poll(memory: Memory): Promise<void> {
    const wasAway = Math.abs(this.#now() - this.#lastPoll) > DAY_MS / 2;
    // Traces of removed documents are gone after a day.
    if (wasAway) await this.load(memory);
    else while (await this.#readChanges(memory)) {}
    this.#lastPoll = this.#now();
    if (this.#now() >= this.#retainAt) await this.#retain();
  }

  async append(requests: readonly QueuedRequest[]): Promise<Committed> {
    try {
      await this.#prepared();
      const words = requests.flatMap(({ request, text }) => [request.id, String(startOf(request)), text]);
      await this.#run(APPEND, [this.#checked, ...words]);
      return { stored: requests.length };
    } catch (error) {
      return { stored: 0, error };
    }
  }

  async *requests(query: RequestQuery): AsyncGenerator<RequestRecord> {
    let from = query.since === undefined ? "-inf" : String(Date.parse(query.since));
    let to = query.until === undefined ? "+inf" : `(${Date.parse(query.until)}`;
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    const isAsked = matcherOf(query);
    let [lastTime, offset] = ["", 0];
    while (left > 0) {
      const [start, end] = query.newestFirst ? [to, from] : [from, to];
      const words = [query.newestFirst ? "1" : "0", start, end, String(offset), String(PAGE)];
      const page = asList(await this.#run(REQUESTS, words)).map(String);
      for (let index = 0; index < page.length; index += 2) {
        const time = page[index] ?? "";
        // The next page begins at the last time seen, after those of it that were read.
        offset = time === lastTime ? offset + 1 : 1;
        lastTime = time;
        const request = JSON.parse(page[index + 1] || "null") as RequestRecord | null;
        if (request === null || !isAsked(request)) continue;
        yield request;
        if (--left <= 0) return;
      }
      if (page.length < PAGE * 2) return;
      if (query.newestFirst) to = lastTime;
      else from = lastTime;
    }
  }

  async close(): Promise<void> {
    this.#client.off?.("error", this.#onError);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #run(script: string, words: readonly string[]): Promise<unknown> {
    return callServer(this.location, () =>
      runScript(this.#client, script, this.#meta, [this.#part, ...words]),
    );
  }

  /** True when there may be more. */
  async #readChanges(
    memory: Memory,
    onDocument?: (kind: DocumentKind, id: string) => void,
  ): Promise<boolean> {
    const words = [String(this.#version), String(PAGE)];
    const [version, life, ...changes] = asList(await this.#run(CHANGES, words));
    if (this.#life !== null && (life !== this.#life || Number(version) < this.#version)) {
      // The server was emptied, or came back with older data.
      await this.load(memory);
      return false;
    }
    this.#life = life;
    for (const change of changes) {
      const [member, itsVersion, document] = asList(change);
      const { kind, id } = parseMember(String(member));
      const found = toDocument(id, document);
      memory.put(kind, id, found);
      if (found !== null) onDocument?.(kind, id);
      this.#version = Number(itsVersion);
    }
    return changes.length === PAGE;
  }

  async #retain(): Promise<void> {
    const { retentionDays = 90, retentionRecords = 1_000_000 } = this.#options;
    this.#retainAt = this.#now() + RETAIN_MS;
    const keptMs = retentionDays * DAY_MS;
    const removed = Math.floor((this.#now() - DAY_MS) / 1000);
    const words = [this.#now() - keptMs, retentionRecords, removed, keptMs].map(String);
    while (Number(await this.#run(RETAIN, words)) > 0) {}
  }
}

function asScriptInput({ kind, operation, sequence }: QueuedOperation): object {
  const base = { sequence, type: operation.type, member: `${kind} ${documentId(operation)}` };
  if (operation.type === "remove") return base;
  const { change } = operation;
  const { fields, counts } = flattenChange(change);
  return {
    ...base,
    schemaVersion: String(change.schemaVersion),
    createdAt: change.createdAt,
    updatedAt: change.updatedAt,
    fields,
    counts: Object.fromEntries(
      Object.entries(counts).map(([path, value]) => [path, value === "{}" ? value : JSON.stringify(value)]),
    ),
  };
}

function toDocument(id: string, flat: unknown): StoredRecord | null {
  const words = asList(flat).map(String);
  if (words.length === 0) return null;
  const base = { schemaVersion: "", createdAt: "", updatedAt: "" };
  const fields: [string, string][] = [];
  const counts: [string, FlatCounts[string]][] = [];
  for (let index = 0; index < words.length; index += 2) {
    const [name = "", value = ""] = words.slice(index, index + 2);
    if (name.startsWith("f:")) fields.push([name.slice(2), value]);
    else if (name.startsWith("c:")) {
      counts.push([name.slice(2), value === "{}" ? "{}" : (JSON.parse(value) as number | number[])]);
    } else if (name in base) base[name as keyof typeof base] = value;
  }
  const { schemaVersion, createdAt, updatedAt } = base;
  return unflatten(
    { id, schemaVersion: Number(schemaVersion), createdAt, updatedAt },
    { fields: Object.fromEntries(fields), counts: Object.fromEntries(counts) },
  );
}

function parseMember(member: string): { kind: DocumentKind; id: string } {
  const space = member.indexOf(" ");
  return { kind: member.slice(0, space) as DocumentKind, id: member.slice(space + 1) };
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
