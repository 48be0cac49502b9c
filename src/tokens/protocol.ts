/** What the pool asks its worker. `id` comes back with the answer. */
export type Request = { readonly id: number } & (
  | { readonly type: "loadFile"; readonly digest: string; readonly file: string }
  | {
      /** Its parts are the raw bytes of `POST /api/show {verbose: true}`. */
      readonly type: "loadShow";
      readonly digest: string;
      /** Where to keep the vocabulary; null to keep it in memory only. */
      readonly file: string | null;
    }
  | { readonly type: "drop"; readonly digest: string }
  /** What is long comes in parts ahead of its request: cloning it at once would block the sender. */
  | { readonly type: "part"; readonly part: string | Uint8Array }
  /** Parts whose request will not come. */
  | { readonly type: "discard" }
  | { readonly type: "count"; readonly digest: string; readonly texts: readonly string[] }
  | { readonly type: "encode"; readonly digest: string; readonly text: string }
  | { readonly type: "estimate"; readonly text: string }
);

/** Answers by type of request. */
export interface Answers {
  /** Boundaries of the loaded tokenizer; null when there is no usable file. */
  readonly loadFile: readonly string[] | null;
  readonly loadShow: readonly string[];
  readonly drop: null;
  readonly part: null;
  readonly discard: null;
  /** Tokens of each text. */
  readonly count: readonly number[];
  readonly encode: Uint32Array;
  readonly estimate: number;
}

export type Reply =
  | { readonly id: number; readonly value: Answers[keyof Answers] }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };
