/**
 * Templates of one model, learned while calls go by: which recurring prompt shape a prompt has, and what its
 * observation changes in the store. Statistics stay in the store's records (see `templateStatistics.ts`); the
 * index holds only what matching needs.
 */
import { SCHEMA_VERSION, type TemplateRecord, type TemplateScope } from "../records.js";
import { largestDistance, unrelatedWithin } from "./falseMatchRate.js";
import { fingerprintVersion, type PrefixFingerprints, type PromptHead } from "./fingerprint.js";
import { FingerprintTable, type Hit } from "./fingerprintTable.js";
import { type TemplateOptions, type TemplateSettings, templateSettings } from "./templateOptions.js";
import { type CallStatistics, increments } from "./templateStatistics.js";

export type { TemplateOptions } from "./templateOptions.js";
export type { CallStatistics } from "./templateStatistics.js";

/** What a prompt matched. */
export interface TemplateMatch {
  readonly templateId: string;
  /** "task" when the user text has a known shape, "system" when only its system prompt is known. */
  readonly scope: Exclude<TemplateScope, "length">;
  /** Template of the system prompt, for both scopes; null when the prompt has none. */
  readonly systemId: string | null;
  /** Tokens of the prefix that is stable. */
  readonly window: number;
  /** Hamming distance to the majority fingerprint, in bits. */
  readonly distance: number;
  /** 0..1: how unlikely the match is by chance, and how often the template was seen. */
  readonly confidence: number;
}

/** A change for the store's `merge("templates", change)`: `counts` hold increments. */
export type TemplateChange = Partial<Omit<TemplateRecord, "id" | "counts">> & {
  readonly id: string;
  readonly counts: Partial<TemplateRecord["counts"]>;
};

/** What an observation did. */
export interface TemplateObservation {
  /** Template that the prompt belongs to from now on; null for a very short prompt. */
  readonly id: string | null;
  /** To be merged into the store: the task's, its system prompt's, or its length bucket's. */
  readonly changes: readonly TemplateChange[];
  /** Templates that turned out to be one: what the store counted of `from` goes to `into`, and `from` goes. */
  readonly merged: readonly { readonly from: string; readonly into: string }[];
  /** To be removed from the store. */
  readonly evicted: readonly string[];
}

/** Group of the system prompts themselves, and of user texts without one. */
const SYSTEM_GROUP = -1;
const NO_SYSTEM_GROUP = 0;
/** An unconfirmed template was seen once; they may hold this share of the limit against confirmed ones. */
const UNCONFIRMED_SHARE = 0.1;
/** A stored fingerprint counts like this many observations at most: the votes behind it are not stored. */
const STORED_VOTES = 8;
/**
 * The false-match rate is kept for at least this many templates. Fewer would allow larger distances, but at
 * 40 of 128 bits texts that share half of their words fall into one template.
 */
const FEWEST_COMPARED = 8_192;
/**
 * The same for the tasks behind one system prompt, which are compared among themselves only: 32 of 128 bits instead of
 * 27, so that of ten tasks of 40 words with a slot of 5, each seen ten times, 10 templates are left and not 19.
 */
const FEWEST_BEHIND = 64;
const DAY_MS = 86_400_000;

/** What the index knows of a slot of its table beside the fingerprints. */
interface Entry {
  readonly id: string;
  readonly scope: TemplateMatch["scope"];
  readonly systemId: string | null;
  observations: number;
  lastSeenMs: number;
  /** Matches in a row that would have held on the next larger window too. */
  consistent: number;
  /** A person wants it kept. */
  isPinned: boolean;
}

/** Where a prompt's two streams were found. */
interface Location {
  readonly system: Hit | null;
  readonly task: Hit | null;
}

/**
 * Templates of one model: matching by linear scan (10,000 templates in a fraction of a millisecond) and online
 * learning. Calls must not be interleaved with awaits; several indexes over one store, in several processes,
 * are kept alike by {@link load} and {@link forget}.
 *
 * @example
 * const index = new TemplateIndex({ modelDigest });
 * index.load(store.list("templates"));
 * const head = fingerprintPrompt(messages);
 * const match = index.match(head); // null the first time
 * // ... the call ...
 * const { id, changes, evicted } = index.observe(head, match, statistics, new Date());
 */
export class TemplateIndex {
  private readonly settings: TemplateSettings;
  private readonly version: string;
  private readonly table: FingerprintTable;
  /** By slot of the table. */
  private readonly entries: Entry[] = [];
  private readonly slots = new Map<string, number>();
  /** Group of the tasks behind a system prompt, by its template's id. */
  private readonly groups = new Map<string, number>();
  private nextGroup = NO_SYSTEM_GROUP + 1;
  /** Templates by group. */
  private readonly sizes = new Map<number, number>();
  private unconfirmed = 0;
  /** Changes with every template; what was found before holds until then. */
  private revision = 0;
  private readonly located = new WeakMap<PromptHead, { readonly revision: number; readonly at: Location }>();
  private readonly within: Float64Array;
  /** By window, for a number of comparisons. */
  private readonly thresholds = new Map<number, readonly number[]>();

  /** @throws OptimizerError `OPTION_INVALID` */
  constructor(options: TemplateOptions) {
    this.settings = templateSettings(options);
    this.version = fingerprintVersion(this.settings);
    this.table = new FingerprintTable(this.settings.bits, this.settings.windows.length);
    this.within = unrelatedWithin(this.settings.bits);
  }

  /** Templates held. */
  get size(): number {
    return this.entries.length;
  }

  has(id: string): boolean {
    return this.slots.has(id);
  }

  /**
   * Takes over records of the store, also such as another process changed; those of other models or
   * fingerprint settings, and damaged ones, are left aside.
   *
   * @returns ids beyond the limit, to be removed from the store
   */
  load(records: Iterable<TemplateRecord>): readonly string[] {
    for (const record of records) this.take(record);
    return this.evict();
  }

  /** Forgets a template that was removed elsewhere, and the tasks behind it. */
  forget(id: string): void {
    this.remove(id);
  }

  /** What the prompt recurs as; null when it matches nothing, or is under one shingle. */
  match(head: PromptHead): TemplateMatch | null {
    const { system, task } = this.locate(head, null);
    const hit = task ?? system;
    if (hit === null) return null;
    const { id, scope, systemId, observations } = this.entries[hit.slot]!;
    const byChance = this.within[hit.distance]! * this.comparisons(this.table.group(hit.slot));
    return {
      templateId: id,
      scope,
      systemId: scope === "system" ? id : systemId,
      window: this.settings.windows[hit.window]!,
      distance: hit.distance,
      confidence: (1 - Math.min(1, byChance)) * (observations / (observations + 1)),
    };
  }

  /**
   * Learns from a call, with what {@link match} said before it; a template that came or went meanwhile is
   * looked up again.
   */
  observe(
    head: PromptHead,
    match: TemplateMatch | null,
    statistics: CallStatistics,
    at: Date,
  ): TemplateObservation {
    const { system, task } = this.locate(head, match);
    const changes: TemplateChange[] = [];
    const evicted: string[] = [];
    const merged: { from: string; into: string }[] = [];
    let id: string | null = null;
    let systemId: string | null = null;
    const visit = (scope: TemplateMatch["scope"], hit: Hit | null, prints: PrefixFingerprints): string => {
      let entry: Entry;
      if (hit === null) {
        entry = this.create(scope, systemId, prints, at);
        evicted.push(...this.evict(entry.id, systemId));
      } else {
        entry = this.entries[hit.slot]!;
        this.learn(hit, prints);
        const twin = this.twinOf(entry, hit.window);
        if (twin) {
          const isTwinKept = twin.isPinned || (!entry.isPinned && twin.observations > entry.observations);
          const [into, from] = isTwinKept ? [twin, entry] : [entry, twin];
          this.remove(from.id);
          this.count(into, into.observations + from.observations);
          merged.push({ from: from.id, into: into.id });
          entry = into;
        }
      }
      this.count(entry, entry.observations + 1);
      entry.lastSeenMs = at.getTime();
      changes.push(this.change(entry, hit?.distance ?? 0, statistics, at));
      return entry.id;
    };
    if (head.version === this.version) {
      if (head.system !== null) id = systemId = visit("system", system, head.system);
      if (head.user !== null) id = visit("task", task, head.user);
    }
    if (system === null && task === null) changes.push(this.lengthChange(head, statistics, at));
    return { id, changes, merged, evicted };
  }

  /**
   * Ids of the records whose statistics apply to a prompt, most specific first: task, system prompt, length
   * bucket. For `bestRecord(ids.map((id) => store.get("templates", id)))`.
   */
  statisticsIds(head: PromptHead, match: TemplateMatch | null): readonly string[] {
    const ids = [match?.templateId, match?.systemId, this.lengthId(head)];
    return [...new Set(ids.filter((id) => typeof id === "string"))];
  }

  /**
   * Removes templates that were seen only once and long ago.
   *
   * @returns their ids, to be removed from the store
   */
  cleanUp(at: Date): readonly string[] {
    const before = at.getTime() - this.settings.forgetOnceSeenAfterDays * DAY_MS;
    const stale = this.entries.filter(
      (entry) => !entry.isPinned && entry.observations < 2 && entry.lastSeenMs < before,
    );
    return stale.flatMap(({ id }) => this.remove(id));
  }

  /** Fingerprints that a prompt of this group may be compared with: templates, in powers of two, times windows. */
  private comparisons(group: number): number {
    const fewest = group > NO_SYSTEM_GROUP ? FEWEST_BEHIND : FEWEST_COMPARED;
    const templates = 2 ** Math.ceil(Math.log2(Math.max(fewest, this.sizes.get(group) ?? 0)));
    return templates * this.settings.windows.length;
  }

  private thresholdsOf(group: number): readonly number[] {
    const comparisons = this.comparisons(group);
    const known = this.thresholds.get(comparisons);
    if (known) return known;
    const { thresholds: given, windows, falseMatchRate } = this.settings;
    const derived = largestDistance(this.within, falseMatchRate, comparisons);
    const thresholds = windows.map((window) => given?.[window] ?? derived);
    this.thresholds.set(comparisons, thresholds);
    return thresholds;
  }

  /** What a prompt matched before the call is mostly where it belongs after it. */
  private locate(head: PromptHead, known: TemplateMatch | null): Location {
    const before = this.located.get(head);
    if (before?.revision === this.revision) return before.at;
    const at = this.search(head, known);
    this.located.set(head, { revision: this.revision, at });
    return at;
  }

  private search(head: PromptHead, known: TemplateMatch | null): Location {
    if (head.version !== this.version) return { system: null, task: null };
    const system = this.find(SYSTEM_GROUP, head.system, known?.systemId);
    const group = system === null ? NO_SYSTEM_GROUP : this.groupOf(this.entries[system.slot]!.id);
    if (head.system !== null && system === null) return { system, task: null };
    return { system, task: this.find(group, head.user, known?.scope === "task" ? known.templateId : null) };
  }

  private find(group: number, prints: PrefixFingerprints | null, knownId?: string | null): Hit | null {
    if (prints === null) return null;
    const thresholds = this.thresholdsOf(group);
    const slot = this.slots.get(knownId ?? "");
    const known =
      slot !== undefined && this.table.group(slot) === group
        ? this.table.hit(slot, prints, thresholds)
        : null;
    return known ?? this.table.nearest(group, prints, thresholds);
  }

  private groupOf(systemId: string): number {
    let group = this.groups.get(systemId);
    if (group === undefined) {
      group = this.nextGroup++;
      this.groups.set(systemId, group);
    }
    return group;
  }

  private insert(entry: Entry, workingWindow: number): number {
    this.revision++;
    const group =
      entry.scope === "system"
        ? SYSTEM_GROUP
        : entry.systemId === null
          ? NO_SYSTEM_GROUP
          : this.groupOf(entry.systemId);
    const slot = this.table.insert(group, workingWindow);
    this.entries[slot] = entry;
    this.slots.set(entry.id, slot);
    this.sizes.set(group, (this.sizes.get(group) ?? 0) + 1);
    if (entry.observations < 2) this.unconfirmed++;
    return slot;
  }

  private create(
    scope: TemplateMatch["scope"],
    systemId: string | null,
    prints: PrefixFingerprints,
    at: Date,
  ): Entry {
    const working = prints.covered - 1;
    const wordCount = this.settings.bits / 32;
    // From the content, so that two processes that see the same prompt first agree on its template.
    const words = prints.words.subarray(working * wordCount);
    let id = `${scope}-${identify(`${this.settings.modelDigest} ${this.version} ${systemId}`, words)}`;
    while (this.slots.has(id)) id += "+";
    const entry: Entry = {
      id,
      scope,
      systemId,
      observations: 0,
      lastSeenMs: at.getTime(),
      consistent: 0,
      isPinned: false,
    };
    const slot = this.insert(entry, working);
    for (let window = 0; window <= working; window++) {
      this.table.set(slot, window, prints.words, window * wordCount, 1);
    }
    return entry;
  }

  /** Adapts the working window and lets the prompt vote. */
  private learn(hit: Hit, prints: PrefixFingerprints): void {
    const { table } = this;
    this.revision++;
    const { slot, window } = hit;
    const entry = this.entries[slot]!;
    const working = table.workingWindow(slot);
    for (let voted = 0; voted <= window; voted++) {
      if (table.has(slot, voted)) table.vote(slot, voted, prints);
    }
    const larger = working + 1;
    if (window < Math.min(working, prints.covered - 1)) {
      table.setWorking(slot, window);
      entry.consistent = 0;
    } else if (window === working && larger < prints.covered) {
      const holds =
        table.has(slot, larger) &&
        table.distance(slot, larger, prints) <= this.thresholdsOf(table.group(slot))[larger]!;
      if (holds) table.vote(slot, larger, prints);
      else table.set(slot, larger, prints.words, (larger * this.settings.bits) / 32, 1);
      entry.consistent = holds ? entry.consistent + 1 : 0;
      if (entry.consistent >= this.settings.growAfter) {
        table.setWorking(slot, larger);
        entry.consistent = 0;
      }
    }
  }

  /**
   * Another task whose fingerprint lies within the threshold, now that a vote moved this one's: the first prompts of
   * a task with a long slot may look like two tasks, their majorities no longer do.
   */
  private twinOf(entry: Entry, window: number): Entry | null {
    if (entry.scope !== "task") return null;
    const slot = this.slots.get(entry.id)!;
    const group = this.table.group(slot);
    const twin = this.table.nearestTo(slot, window, this.thresholdsOf(group)[window]!);
    const found = twin === null ? null : this.entries[twin.slot]!;
    // A person wants both.
    return found?.isPinned && entry.isPinned ? null : found;
  }

  private count(entry: Entry, observations: number): void {
    this.unconfirmed += Number(observations < 2) - Number(entry.observations < 2);
    entry.observations = observations;
  }

  /** Brings the templates down to the limit, least recently seen first, sparing those in use. */
  private evict(...spared: (string | null)[]): string[] {
    const { limit } = this.settings;
    const evicted: string[] = [];
    while (this.size > limit) {
      // One-off prompts come in floods; beyond their share they give way to each other, not to what recurs.
      const onlyUnconfirmed = this.unconfirmed > limit * UNCONFIRMED_SHARE;
      const oldest =
        (onlyUnconfirmed ? this.oldest(spared, onlyUnconfirmed) : undefined) ?? this.oldest(spared, false);
      if (oldest === undefined) break;
      evicted.push(...this.remove(oldest.id));
    }
    return evicted;
  }

  /** Pinned ones never give way. */
  private oldest(spared: readonly (string | null)[], onlyUnconfirmed: boolean): Entry | undefined {
    let oldest: Entry | undefined;
    for (const entry of this.entries) {
      if (entry.isPinned || spared.includes(entry.id)) continue;
      if (onlyUnconfirmed && entry.observations >= 2) continue;
      if (oldest === undefined || entry.lastSeenMs < oldest.lastSeenMs) oldest = entry;
    }
    return oldest;
  }

  /** Removes a template and, of a system prompt, the tasks behind it. */
  private remove(id: string): string[] {
    const slot = this.slots.get(id);
    if (slot === undefined) return [];
    const entry = this.entries[slot]!;
    this.revision++;
    this.count(entry, 2);
    const group = this.table.group(slot);
    this.sizes.set(group, this.sizes.get(group)! - 1);
    this.table.remove(slot);
    const last = this.entries.pop()!;
    if (last !== entry) {
      this.entries[slot] = last;
      this.slots.set(last.id, slot);
    }
    this.slots.delete(id);
    if (entry.scope !== "system") return [id];
    this.groups.delete(id);
    const behind = this.entries.filter((task) => task.systemId === id);
    return [id, ...behind.flatMap((task) => this.remove(task.id))];
  }

  private take(record: TemplateRecord): void {
    const { modelDigest, windows, bits } = this.settings;
    if (record.modelDigest !== modelDigest || record.fingerprintVersion !== this.version) return;
    const working = windows.indexOf(record.workingWindow);
    const prints = windows.map((window) => fromHex(record.fingerprints?.[window], bits / 32));
    if (record.scope === "length" || working === -1 || !prints[working]) return;
    const observations = record.counts?.observations ?? 1;
    let slot = this.slots.get(record.id);
    if (slot === undefined) {
      const { id, scope, systemId } = record;
      const entry = { id, scope, systemId, observations, lastSeenMs: 0, consistent: 0, isPinned: false };
      slot = this.insert(entry, working);
    } else {
      this.revision++;
      this.count(this.entries[slot]!, observations);
      this.table.setWorking(slot, working);
    }
    this.entries[slot]!.lastSeenMs = Date.parse(record.updatedAt) || 0;
    this.entries[slot]!.isPinned = record.isPinned === true;
    for (const [window, words] of prints.entries()) {
      if (words && window <= working + 1) {
        this.table.set(slot, window, words, 0, Math.min(STORED_VOTES, observations));
      }
    }
  }

  /** Carries the whole description each time: merged after another process removed it, it is still whole. */
  private change(entry: Entry, distance: number, statistics: CallStatistics, at: Date): TemplateChange {
    const { table } = this;
    const { id, scope, systemId } = entry;
    const slot = this.slots.get(id)!;
    const { windows, modelDigest } = this.settings;
    const fingerprints = Object.fromEntries(
      windows.flatMap((window, i) => (table.has(slot, i) ? [[window, toHex(table.read(slot, i))]] : [])),
    );
    return {
      id,
      ...this.common(at),
      modelDigest,
      scope,
      systemId,
      workingWindow: windows[table.workingWindow(slot)]!,
      fingerprints,
      counts: { ...increments(statistics), distanceSum: distance },
    };
  }

  private lengthChange(head: PromptHead, statistics: CallStatistics, at: Date): TemplateChange {
    return {
      id: this.lengthId(head),
      ...this.common(at),
      modelDigest: this.settings.modelDigest,
      scope: "length",
      systemId: null,
      workingWindow: 0,
      fingerprints: {},
      counts: { ...increments(statistics), distanceSum: 0 },
    };
  }

  private common(
    at: Date,
  ): Pick<TemplateRecord, "schemaVersion" | "fingerprintVersion" | "createdAt" | "updatedAt"> {
    const now = at.toISOString();
    return {
      schemaVersion: SCHEMA_VERSION,
      fingerprintVersion: this.version,
      createdAt: now,
      updatedAt: now,
    };
  }

  /** Buckets double in characters. */
  private lengthId(head: PromptHead): string {
    const characters = 2 ** Math.ceil(Math.log2(Math.max(1, head.characters)));
    return `length-${identify(this.settings.modelDigest, new Int32Array(0))}-${characters}`;
  }
}

function toHex(words: Int32Array): string {
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/** Undefined for what is no fingerprint of this many words. */
function fromHex(hex: string | undefined, wordCount: number): Int32Array | undefined {
  if (typeof hex !== "string" || hex.length !== wordCount * 8 || !/^[0-9a-f]+$/.test(hex)) return undefined;
  return Int32Array.from({ length: wordCount }, (_, i) => Number.parseInt(hex.slice(i * 8, i * 8 + 8), 16));
}

/** 16 hex digits from two FNV-1a hashes. */
function identify(text: string, words: Int32Array): string {
  const content = `${text} ${toHex(words)}`;
  let a = 0x811c9dc5;
  let b = 0xcbf29ce4;
  for (let i = 0; i < content.length; i++) {
    a = Math.imul(a ^ content.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ content.charCodeAt(i), 0x01000193) ^ (b >>> 15);
  }
  return toHex(Int32Array.of(a, b));
}
