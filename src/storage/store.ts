/**
 * The one contract of storage. Reads come from memory and are synchronous; writes are queued and never block a
 * decision; awaiting a write means it is durable. Numbers below `counts` are added by every driver atomically,
 * other fields are replaced by the later `updatedAt`, `createdAt` keeps the earliest.
 *
 * A failed write rejects, but is not given up: it stays visible in memory and is tried again until the store is
 * closed, so it must not be repeated. Only `STORE_QUEUE_FULL`, `STORE_CLOSED`, `STORE_CHANGE_INVALID` and
 * `STORE_REQUEST_INVALID` mean that it is gone.
 */
import type {
  ProfileRecord,
  RequestRecord,
  RuleRecord,
  SettingRecord,
  StoredRecord,
  TemplateRecord,
} from "../records.js";

/** The documents a store keeps, by kind. */
export interface Documents {
  readonly templates: TemplateRecord;
  readonly profiles: ProfileRecord;
  readonly rules: RuleRecord;
  readonly settings: SettingRecord;
}
/** Kinds of stored documents. */
export type DocumentKind = keyof Documents;
export const DOCUMENT_KINDS: readonly DocumentKind[] = ["settings", "profiles", "rules", "templates"];

/**
 * A change to one document: `counts` hold increments, other fields new values; absent fields stay. The store
 * fills in `schemaVersion`, `updatedAt` (now) and, for a document it does not know, `createdAt`. A change to a
 * document that another process has just removed is dropped with it.
 */
export type Change<R extends StoredRecord> = Partial<Omit<R, "id" | "counts">> & {
  readonly id: string;
  /** Increments; missing counters stay. */
  readonly counts?: DeepPartial<R["counts"]>;
};
type DeepPartial<T> = T extends readonly unknown[] | number
  ? T
  : { readonly [K in keyof T]?: DeepPartial<T[K]> };

/**
 * Which requests to read: oldest first unless `newestFirst`, in the order they were stored (memory, JSON) or began
 * (servers).
 */
export interface RequestQuery {
  /** ISO 8601, inclusive. */
  readonly since?: string;
  /** ISO 8601, exclusive. */
  readonly until?: string;
  readonly model?: string;
  readonly templateId?: string;
  readonly limit?: number;
  readonly newestFirst?: boolean;
}

/** What a driver can do beyond the contract: declared, not guessed. */
export interface StoreAbilities {
  /** Survives the process. */
  readonly durable: boolean;
  /** Other processes on this machine may share it. */
  readonly sharedByProcesses: boolean;
  /** Other machines may share it. */
  readonly sharedByMachines: boolean;
}

/** A change that another process or machine made, seen within a second. */
export interface StoreEvent {
  readonly kind: DocumentKind;
  readonly id: string;
  /** null when it was removed. */
  readonly record: StoredRecord | null;
}

/** A store: what all drivers have in common. */
export interface OptimizerStore {
  /** For people: a folder, a server, "memory". */
  readonly location: string;
  readonly abilities: StoreAbilities;
  /**
   * Resolves when everything stored has been read into memory. Decisions do not wait for it. Rejects when the
   * store cannot be used (written by a newer version, server out of reach); then every write rejects as well.
   */
  ready(): Promise<void>;
  /** From memory; undefined when unknown (or not read yet). Never mutate what is returned. */
  get<K extends DocumentKind>(kind: K, id: string): Documents[K] | undefined;
  /** From memory. */
  list<K extends DocumentKind>(kind: K): Iterable<Documents[K]>;
  /**
   * Merges a change; visible in memory at once. The promise resolves when it is durable and rejects when it
   * cannot be; ignoring it is allowed (a rejection that nobody awaits is logged once, never unhandled).
   */
  merge<K extends DocumentKind>(kind: K, change: Change<Documents[K]>): Promise<void>;
  /**
   * Stores a document unless one with this id exists, here or elsewhere; resolves with the one that everybody
   * has, e.g. for a key that must be made once.
   */
  create<K extends DocumentKind>(kind: K, document: Change<Documents[K]>): Promise<Documents[K]>;
  /** Removes a document here and for everyone. */
  remove(kind: DocumentKind, id: string): Promise<void>;
  /** Appends to the request log; same promise as {@link merge}. A request with a known id is appended once. */
  append(request: RequestRecord): Promise<void>;
  /**
   * Reads the request log without loading it whole.
   *
   * @throws OptimizerError `OPTION_INVALID` for a time that is none
   */
  requests(query?: RequestQuery): AsyncIterable<RequestRecord>;
  /** Changes by others. Returns the function that ends it. */
  subscribe(listener: (event: StoreEvent) => void): () => void;
  /** Resolves when everything queued is durable. */
  flush(): Promise<void>;
  /** Flushes and releases files, locks and timers. Clients that were passed in stay open. */
  close(): Promise<void>;
}
