/**
 * SimHash of a prompt's head: similar texts get fingerprints that differ in few bits (Charikar 2002; for near
 * duplicates Manku, Jain, Das Sarma 2007). Over shingles of neighbouring tokens, for growing prefix windows in
 * one pass, in 32-bit words.
 */
import { OptimizerError } from "../errors.js";
import { hashTokens } from "./headTokens.js";

/** What fingerprints are made with; stored fingerprints of other settings are never compared. */
export interface FingerprintSettings {
  /**
   * 128 by default. With 64, a slot of 10 words moves a 64-token fingerprint by 17 bits at the 95th percentile,
   * and at 17 bits an unrelated prompt matches one of 10,000 templates more often than not.
   */
  readonly bits: 64 | 128;
  /** Neighbouring tokens hashed together: 3, 4 or 5. */
  readonly shingle: number;
  /** Prefix windows in tokens, ascending. */
  readonly windows: readonly number[];
}

/** 128 bits, shingles of 3, windows of 64 to 1,024 tokens. */
export const FINGERPRINT_DEFAULTS: FingerprintSettings = {
  bits: 128,
  shingle: 3,
  windows: [64, 128, 256, 512, 1024],
};

/** The part of a chat message that a fingerprint reads. */
export interface HeadMessage {
  readonly role: string;
  readonly content: string;
}

/** Fingerprints of one stream of tokens, one per covered prefix window. */
export interface PrefixFingerprints {
  /** Window i occupies words [i * bits / 32, (i + 1) * bits / 32). */
  readonly words: Int32Array;
  /** Windows covered: those the text fills, and the one that holds the rest. */
  readonly covered: number;
  /** Tokens read, at most the largest window. */
  readonly tokens: number;
}

/** What is fingerprinted of a prompt: its system part and the first user message, apart and together. */
export interface PromptHead {
  /** Settings, see {@link fingerprintVersion}. */
  readonly version: string;
  /** null when there is less than one shingle. */
  readonly system: PrefixFingerprints | null;
  readonly user: PrefixFingerprints | null;
  /** Made when first read: matching does without it. */
  readonly all: PrefixFingerprints | null;
  /** Hash of the tool list, hex; null without tools. Apart: a changed tool list is not a new template. */
  readonly tools: string | null;
  /** Characters of all messages, for the length bucket. */
  readonly characters: number;
}

/**
 * Settings in one word.
 *
 * @example fingerprintVersion(FINGERPRINT_DEFAULTS) // "1:128:3:64,128,256,512,1024"
 */
export function fingerprintVersion(settings: FingerprintSettings): string {
  return `1:${settings.bits}:${settings.shingle}:${settings.windows.join(",")}`;
}

/**
 * Completes and checks settings.
 *
 * @throws OptimizerError `OPTION_INVALID`
 * @example fingerprintSettings({ bits: 64 }).windows // [64, 128, 256, 512, 1024]
 */
export function fingerprintSettings(partial: Partial<FingerprintSettings> = {}): FingerprintSettings {
  const {
    bits = FINGERPRINT_DEFAULTS.bits,
    shingle = FINGERPRINT_DEFAULTS.shingle,
    windows = FINGERPRINT_DEFAULTS.windows,
  } = partial;
  const refuse = (message: string, remedy: string): never => {
    throw new OptimizerError({ code: "OPTION_INVALID", message, remedy });
  };
  if (bits !== 64 && bits !== 128) refuse(`bits is ${bits}`, "Use 64 or 128.");
  if (![3, 4, 5].includes(shingle)) refuse(`shingle is ${shingle}`, "Use 3, 4 or 5.");
  const ascends = windows.every(
    (window, i) =>
      Number.isInteger(window) && window >= 8 && window <= 8192 && window > (windows[i - 1] ?? 0),
  );
  if (windows.length === 0 || windows.length > 7 || !ascends) {
    refuse(
      `windows is [${windows.join(", ")}]`,
      "Give 1 to 7 ascending whole numbers of tokens from 8 to 8192.",
    );
  }
  return { bits, shingle, windows };
}

const SYSTEM_ROLES = new Set(["system", "developer"]);
const USER_ROLES = new Set(["user", "human"]);

/** Murmur3's finalizer: every bit of the result depends on every bit of the argument. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Turns one shingle's hash into as many independent words as the fingerprint has. */
const SEEDS = [0, 0x9e3779b9, 0x3c6ef372, 0xdaa66d2b];

/**
 * Majority of many words, bit by bit. Counters are stored by binary digit: plane p holds digit p of all 32
 * counters of a word, so that one addition costs about 7 operations on words instead of 32 on counters.
 */
class Majority {
  private readonly planes: Int32Array;
  private readonly first: Int32Array;
  private added = 0;

  constructor(
    private readonly wordCount: number,
    private readonly digits: number,
  ) {
    this.planes = new Int32Array(wordCount * digits);
    this.first = new Int32Array(wordCount);
  }

  /** Adds the shingles from `from` to `to`, two at a time while there are two: half the carries. */
  add(shingles: Int32Array, from: number, to: number): void {
    const { planes, digits } = this;
    for (let word = 0; word < this.wordCount; word++) {
      const seed = SEEDS[word]!;
      const lowest = word * digits;
      if (this.added === 0) this.first[word] = mix(shingles[from]! ^ seed);
      for (let i = from; i < to; i += 2) {
        const ones = planes[lowest]!;
        const a = mix(shingles[i]! ^ seed);
        const b = i + 1 < to ? mix(shingles[i + 1]! ^ seed) : 0;
        const either = ones ^ a;
        planes[lowest] = either ^ b;
        let carry = (ones & a) | (either & b);
        for (let plane = lowest + 1; carry !== 0; plane++) {
          const digit = planes[plane]!;
          planes[plane] = digit ^ carry;
          carry &= digit;
        }
      }
    }
    this.added += to - from;
  }

  /** Bits set in more than half of the words added; of a tie, as in the first (0 would make short texts alike). */
  write(into: Int32Array, at: number): void {
    const half = this.added >> 1;
    for (let word = 0; word < this.wordCount; word++) {
      let above = 0;
      let equal = -1;
      for (let digit = this.digits - 1; digit >= 0; digit--) {
        const plane = this.planes[word * this.digits + digit]!;
        const wanted = -((half >> digit) & 1);
        above |= equal & plane & ~wanted;
        equal &= ~(plane ^ wanted);
      }
      into[at + word] = this.added % 2 === 0 ? above | (equal & this.first[word]!) : above;
    }
  }
}

function fingerprintTokens(
  tokens: Int32Array,
  count: number,
  settings: FingerprintSettings,
): PrefixFingerprints | null {
  const { bits, shingle, windows } = settings;
  if (count < shingle) return null;
  const wordCount = bits / 32;
  const filling = windows.findIndex((window) => window >= count);
  const covered = filling === -1 ? windows.length : filling + 1;
  const words = new Int32Array(covered * wordCount);
  const shingles = new Int32Array(count - shingle + 1);
  for (let start = 0; start < shingles.length; start++) {
    let hash = 0;
    for (let i = start; i < start + shingle; i++) hash = (Math.imul(hash, 0x2c1b3c6d) + tokens[i]!) | 0;
    shingles[start] = hash;
  }
  const majority = new Majority(wordCount, Math.ceil(Math.log2(count + 1)));
  let added = 0;
  for (let window = 0; window < covered; window++) {
    const within = Math.min(count, windows[window]!) - shingle + 1;
    majority.add(shingles, added, within);
    majority.write(words, window * wordCount);
    added = within;
  }
  return { words, covered, tokens: count };
}

/** Order-free, so that a tool list in another order is the same list. */
function hashTools(tools: readonly unknown[]): string {
  let sum = 0;
  for (const tool of tools) {
    const text = JSON.stringify(tool) ?? "";
    let hash = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    sum = (sum + mix(hash)) | 0;
  }
  return (sum >>> 0).toString(16).padStart(8, "0");
}

/**
 * Fingerprints the head of a prompt: the system messages before the first user message, and that message. What
 * follows in a conversation does not count, so a growing conversation keeps its template.
 *
 * Cost: proportional to the largest window, not to the prompt.
 *
 * @param tools their JSON or names
 * @example
 * const head = fingerprintPrompt([{ role: "user", content: "Translate to French: good morning" }]);
 * head.user?.tokens // 6
 * head.system // null
 */
export function fingerprintPrompt(
  messages: readonly HeadMessage[],
  tools: readonly unknown[] = [],
  settings: FingerprintSettings = FINGERPRINT_DEFAULTS,
): PromptHead {
  const largest = settings.windows.at(-1)!;
  const system = new Int32Array(largest);
  const user = new Int32Array(largest);
  let systemCount = 0;
  let userCount = 0;
  for (const { role, content } of messages) {
    if (SYSTEM_ROLES.has(role)) {
      systemCount = hashTokens(content, system, systemCount);
    } else if (USER_ROLES.has(role)) {
      userCount = hashTokens(content, user, 0);
      break;
    }
  }
  let together: PrefixFingerprints | null | undefined;
  return {
    version: fingerprintVersion(settings),
    system: fingerprintTokens(system, systemCount, settings),
    user: fingerprintTokens(user, userCount, settings),
    get all() {
      if (together === undefined) {
        const count = Math.min(largest, systemCount + userCount);
        const tokens = system.slice();
        tokens.set(user.subarray(0, count - systemCount), systemCount);
        together = fingerprintTokens(tokens, count, settings);
      }
      return together;
    },
    tools: tools.length === 0 ? null : hashTools(tools),
    characters: messages.reduce((sum, { content }) => sum + content.length, 0),
  };
}
