/** Merge ranks by pair of ids: open addressing in typed arrays, 12 bytes a slot instead of ~100 in a Map. */
export class PairTable {
  private readonly lefts: Int32Array;
  private readonly rights: Int32Array;
  private readonly ranks: Int32Array;
  private readonly mask: number;

  /** @param merges triples (left, right, merged) in order of rank; of equal pairs the first counts */
  constructor(private readonly merges: Uint32Array) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, (merges.length / 3) * 2)));
    this.mask = size - 1;
    this.lefts = new Int32Array(size).fill(-1);
    this.rights = new Int32Array(size);
    this.ranks = new Int32Array(size);
    for (let rank = 0; rank * 3 < merges.length; rank++) {
      const left = merges[rank * 3] as number;
      const right = merges[rank * 3 + 1] as number;
      const slot = this.slot(left, right);
      if (this.lefts[slot] !== -1) continue;
      this.lefts[slot] = left;
      this.rights[slot] = right;
      this.ranks[slot] = rank;
    }
  }

  /** Rank of a pair, or -1. */
  rank(left: number, right: number): number {
    const slot = this.slot(left, right);
    return this.lefts[slot] === -1 ? -1 : (this.ranks[slot] as number);
  }

  /** Id that the merge of this rank makes. */
  merged(rank: number): number {
    return this.merges[rank * 3 + 2] as number;
  }

  private slot(left: number, right: number): number {
    let slot = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & this.mask;
    for (;;) {
      const found = this.lefts[slot];
      if (found === -1 || (found === left && this.rights[slot] === right)) return slot;
      slot = (slot + 1) & this.mask;
    }
  }
}
