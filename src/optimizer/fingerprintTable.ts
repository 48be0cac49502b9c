/**
 * Majority fingerprints by slot and window in typed arrays, for a linear scan. Nothing cleverer: bands or trees
 * need small distances, and at 30 of 128 bits they visit most of the table anyway.
 */
import type { PrefixFingerprints } from "./fingerprint.js";
import { type ScannedMemory, scannedMemory } from "./nearestSlot.js";

/** Votes are bounded, so that the majority follows a template that changes. */
const STRONGEST_VOTE = 31;

/** No group: of a slot without this window. */
const NOT_COMPARED = -2;

/** A slot found, its distance in bits, and the index of the window compared. */
export interface Hit {
  readonly slot: number;
  readonly window: number;
  readonly distance: number;
}

/** Grows by doubling; slots 0 to size - 1 are in use, a removed slot is filled by the last. */
export class FingerprintTable {
  size = 0;
  private readonly wordCount: number;
  /** Where {@link words} and {@link compared} are, with room for one fingerprint before them. */
  private memory: ScannedMemory | null = null;
  /** By window: `wordCount` words a slot. */
  private words: Int32Array[];
  /** By window: one vote a bit and slot; above 0 for set. */
  private votes: Int8Array[];
  private groups = new Int32Array(0);
  /** Windows present, one bit each. */
  private present = new Uint8Array(0);
  /** By window: the slot's group where it is compared, up to its working window. One load tells a scan both. */
  private compared: Int32Array[];
  private readonly working: number[] = [];

  constructor(
    private readonly bits: number,
    private readonly windowCount: number,
  ) {
    this.wordCount = bits / 32;
    this.words = Array.from({ length: windowCount }, () => new Int32Array(0));
    this.votes = Array.from({ length: windowCount }, () => new Int8Array(0));
    this.compared = Array.from({ length: windowCount }, () => new Int32Array(0));
  }

  /** Adds a slot that is compared within `group`, without fingerprints yet. */
  insert(group: number, workingWindow: number): number {
    if (this.size === this.groups.length) this.resize(Math.max(64, this.size * 2));
    const slot = this.size++;
    this.groups[slot] = group;
    this.present[slot] = 0;
    this.setWorking(slot, workingWindow);
    return slot;
  }

  /** Removes a slot; the last one takes its place. */
  remove(slot: number): void {
    const last = --this.size;
    const { wordCount, bits } = this;
    for (let window = 0; window < this.windowCount; window++) {
      this.words[window]!.copyWithin(slot * wordCount, last * wordCount, (last + 1) * wordCount);
      this.votes[window]!.copyWithin(slot * bits, last * bits, (last + 1) * bits);
      this.compared[window]![slot] = this.compared[window]![last]!;
    }
    for (const column of [this.groups, this.present, this.working]) column[slot] = column[last]!;
    this.working.pop();
  }

  /** Sets a window's fingerprint, as if seen `weight` times. */
  set(slot: number, window: number, words: Int32Array, at: number, weight: number): void {
    const vote = Math.min(STRONGEST_VOTE, Math.max(1, weight));
    for (let word = 0; word < this.wordCount; word++) {
      const value = words[at + word]!;
      this.words[window]![slot * this.wordCount + word] = value;
      for (let bit = 0; bit < 32; bit++) {
        this.votes[window]![slot * this.bits + word * 32 + bit] = (value >>> bit) & 1 ? vote : -vote;
      }
    }
    this.present[slot]! |= 1 << window;
    this.setWorking(slot, this.working[slot]!);
  }

  /** Lets a prompt's fingerprint vote on each bit of a window's; a tie leaves the bit. */
  vote(slot: number, window: number, prints: PrefixFingerprints): void {
    const votes = this.votes[window]!;
    for (let word = 0; word < this.wordCount; word++) {
      const value = prints.words[window * this.wordCount + word]!;
      let majority = this.words[window]![slot * this.wordCount + word]!;
      for (let bit = 0; bit < 32; bit++) {
        const at = slot * this.bits + word * 32 + bit;
        const step = (value >>> bit) & 1 ? 1 : -1;
        const vote = Math.max(-STRONGEST_VOTE, Math.min(STRONGEST_VOTE, votes[at]! + step));
        votes[at] = vote;
        if (vote > 0) majority |= 1 << bit;
        else if (vote < 0) majority &= ~(1 << bit);
      }
      this.words[window]![slot * this.wordCount + word] = majority;
    }
  }

  has(slot: number, window: number): boolean {
    return ((this.present[slot]! >> window) & 1) === 1;
  }

  workingWindow(slot: number): number {
    return this.working[slot]!;
  }

  /** Moves the working window; what lies beyond the next larger one is forgotten. */
  setWorking(slot: number, window: number): void {
    this.working[slot] = window;
    this.present[slot]! &= (4 << window) - 1;
    for (const [index, groups] of this.compared.entries()) {
      groups[slot] = index <= window && this.has(slot, index) ? this.groups[slot]! : NOT_COMPARED;
    }
  }

  group(slot: number): number {
    return this.groups[slot]!;
  }

  distance(slot: number, window: number, prints: PrefixFingerprints): number {
    return this.distanceTo(slot, window, prints.words.subarray(window * this.wordCount));
  }

  private distanceTo(slot: number, window: number, other: Int32Array): number {
    const own = this.read(slot, window);
    let distance = 0;
    for (let word = 0; word < own.length; word += 2) {
      distance += popcount(own[word]! ^ other[word]!, own[word + 1]! ^ other[word + 1]!);
    }
    return distance;
  }

  /** The largest window of one slot within its threshold. */
  hit(slot: number, prints: PrefixFingerprints, thresholds: readonly number[]): Hit | null {
    for (let window = prints.covered - 1; window >= 0; window--) {
      if (this.compared[window]![slot] === NOT_COMPARED) continue;
      const distance = this.distance(slot, window, prints);
      if (distance <= thresholds[window]!) return { slot, window, distance };
    }
    return null;
  }

  /** The nearest slot of a group at the largest window at which any is within the threshold. */
  nearest(group: number, prints: PrefixFingerprints, thresholds: readonly number[]): Hit | null {
    for (let window = prints.covered - 1; window >= 0; window--) {
      const words = prints.words.subarray(window * this.wordCount);
      const hit = this.scan(group, window, words, thresholds[window]!, -1);
      if (hit !== null) return hit;
    }
    return null;
  }

  /** The slot of the same group whose fingerprint of a window is nearest to this one's, within the threshold. */
  nearestTo(slot: number, window: number, threshold: number): Hit | null {
    return this.scan(this.groups[slot]!, window, this.read(slot, window), threshold, slot);
  }

  private scan(
    group: number,
    window: number,
    words: Int32Array,
    threshold: number,
    except: number,
  ): Hit | null {
    const compared = this.compared[window]!;
    const table = this.words[window]!;
    const own = compared[except];
    if (own !== undefined) compared[except] = NOT_COMPARED;
    const { memory, size } = this;
    let nearest: number;
    if (memory === null) {
      nearest = nearestSlot(table, compared, size, words, group, threshold + 1, this.wordCount);
    } else {
      new Int32Array(memory.buffer, 0, this.wordCount).set(words.subarray(0, this.wordCount));
      nearest = memory.nearest(table.byteOffset, compared.byteOffset, size, 0, group, threshold + 1);
    }
    if (own !== undefined) compared[except] = own;
    return nearest < 0 ? null : { slot: nearest, window, distance: this.distanceTo(nearest, window, words) };
  }

  /** The words of a window's fingerprint. */
  read(slot: number, window: number): Int32Array {
    return this.words[window]!.subarray(slot * this.wordCount, (slot + 1) * this.wordCount);
  }

  private resize(capacity: number): void {
    const grown = <A extends Int32Array | Int8Array | Uint8Array>(old: A, fresh: A): A => {
      fresh.set(old);
      return fresh;
    };
    const { wordCount } = this;
    const row = 4 * wordCount;
    const window = capacity * (row + 4);
    const bytes = row + this.windowCount * window;
    this.memory = wordCount === 4 ? scannedMemory(bytes) : null;
    const buffer = this.memory?.buffer ?? new ArrayBuffer(bytes);
    this.words = this.words.map((old, index) =>
      grown(old, new Int32Array(buffer, row + index * window, capacity * wordCount)),
    );
    this.compared = this.compared.map((old, index) =>
      grown(old, new Int32Array(buffer, row + index * window + capacity * row, capacity)),
    );
    this.votes = this.votes.map((old) => grown(old, new Int8Array(capacity * this.bits)));
    this.groups = grown(this.groups, new Int32Array(capacity));
    this.present = grown(this.present, new Uint8Array(capacity));
  }
}

/**
 * Set bits of two 32-bit words (Warren, Hacker's Delight, 5-1).
 *
 * @example popcount(0xff, 1) // 9
 */
export function popcount(a: number, b: number): number {
  const x = a - ((a >>> 1) & 0x55555555);
  const y = b - ((b >>> 1) & 0x55555555);
  const nibbles = (x & 0x33333333) + ((x >>> 2) & 0x33333333) + (y & 0x33333333) + ((y >>> 2) & 0x33333333);
  return Math.imul((nibbles & 0x0f0f0f0f) + ((nibbles >>> 4) & 0x0f0f0f0f), 0x01010101) >>> 24;
}

/**
 * What {@link ScannedMemory.nearest} says, for fingerprints of 64 bits and where there is no WebAssembly: 5 ns a slot.
 * Nearly nine of ten unrelated fingerprints are too far after their first 64 bits; words in locals, since a loop over
 * them takes 7 ns.
 */
export function nearestSlot(
  table: Int32Array,
  groups: Int32Array,
  count: number,
  words: Int32Array,
  group: number,
  below: number,
  wordCount: number,
): number {
  const [word0, word1, word2, word3] = words;
  let nearest = -1;
  for (let slot = 0, at = 0; slot < count; slot++, at += wordCount) {
    if (groups[slot] !== group) continue;
    let distance = popcount(table[at]! ^ word0!, table[at + 1]! ^ word1!);
    if (distance >= below) continue;
    if (wordCount === 4) distance += popcount(table[at + 2]! ^ word2!, table[at + 3]! ^ word3!);
    if (distance < below) {
      below = distance;
      nearest = slot;
    }
  }
  return nearest;
}
