/** The part of a chat message that a fingerprint reads. */
export interface HeadMessage {
  readonly role: string;
  readonly content: string;
}

/** Fingerprints of one stream of tokens, one per covered prefix window. */
export interface PrefixFingerprints {
  /** Window i occupies words [i * bits / 32, (i + 1) * bits / 32). */
  readonly words: Uint32Array;
  /** Windows covered: those the text fills, and the one that holds the rest. */
  readonly covered: number;
  /** Tokens read, at most the largest window. */
  readonly tokens: number;
}

/** What is fingerprinted of a prompt: its system part and the first user message, apart and together. */
export interface PromptHead {
  /** Settings: bits, windows, shingle length. Heads and templates of other versions never compare. */
  readonly version: string;
  /** null when there is less than one shingle. */
  readonly system: PrefixFingerprints | null;
  readonly user: PrefixFingerprints | null;
  readonly all: PrefixFingerprints | null;
  /** Hash of the tool list, hex; null without tools. Apart: a changed tool list is not a new template. */
  readonly tools: string | null;
  /** Characters of all messages, for the length bucket. */
  readonly characters: number;
}

/** Tokenizes and fingerprints the head of a prompt; tools are their JSON or names. */
export declare function fingerprintPrompt(
  messages: readonly HeadMessage[],
  tools?: readonly unknown[],
): PromptHead;
