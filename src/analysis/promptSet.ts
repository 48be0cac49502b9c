/** Which prompts were seen before, by their hashes. */

const SLOTS = 2 ** 18;
/** Characters of a hash that are looked at: 16 hex digits are 64 bits. */
const LOOKED_AT = 16;
const FNV_PRIME = 0x01000193;
/** Fuller, a look-up walks too far. */
const MOST = SLOTS / 2;

/**
 * An open hash table of 32-bit marks in one piece of 1 MB: a `Set` of 100,000 strings pauses for tens of milliseconds
 * when it grows. Two different hashes are taken for one another once in some hundred million look-ups.
 *
 * @example
 * const prompts = new PromptSet();
 * prompts.hasSeen("a") // false
 * prompts.hasSeen("a") // true
 */
export class PromptSet {
  private readonly marks = new Uint32Array(SLOTS);
  private count = 0;

  /** Whether it was asked for before; remembers it, up to 131,072. */
  hasSeen(hash: string, scope: string = ""): boolean {
    let place = 0x811c9dc5;
    let mark = 0x9747b28c;
    for (let index = Math.max(0, hash.length - LOOKED_AT); index < hash.length; index++) {
      const character = hash.charCodeAt(index);
      place = Math.imul(place ^ character, FNV_PRIME);
      mark = Math.imul(mark, 31) + character;
    }
    for (let index = 0; index < scope.length; index++) {
      const character = scope.charCodeAt(index);
      place = Math.imul(place ^ character, FNV_PRIME);
      mark = Math.imul(mark, 31) + character;
    }
    // A mark of 0 would be an empty slot.
    mark = Math.imul(mark ^ (mark >>> 15), 0x2c1b3c6d) >>> 0 || 1;
    let slot = (place ^ (place >>> 14)) & (SLOTS - 1);
    while (this.marks[slot] !== 0) {
      if (this.marks[slot] === mark) return true;
      slot = (slot + 1) & (SLOTS - 1);
    }
    if (this.count < MOST) {
      this.count++;
      this.marks[slot] = mark;
    }
    return false;
  }
}
