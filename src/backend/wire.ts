/** The slice of Ollama's API that is read and written here (Ollama `api/types.go`). Durations in nanoseconds. */

/** One message of `/api/chat`. */
export interface WireMessage {
  readonly role: string;
  readonly content: string;
  readonly thinking?: string;
  readonly images?: readonly string[];
  readonly tool_calls?: readonly WireToolCall[];
  readonly tool_name?: string;
  readonly tool_call_id?: string;
}

export interface WireToolCall {
  readonly id?: string;
  readonly function: { readonly name: string; readonly arguments: unknown; readonly index?: number };
}

/** Body of `/api/chat` or `/api/generate`; fields that are not named here pass through untouched. */
export interface WireRequest {
  readonly model: string;
  readonly messages?: readonly WireMessage[];
  readonly prompt?: string;
  readonly system?: string;
  readonly suffix?: string;
  /** Instead of the model's own. */
  readonly template?: string;
  /** Token ids of what was said before, as `/api/generate` returned them. */
  readonly context?: readonly number[];
  readonly images?: readonly string[];
  readonly raw?: boolean;
  readonly tools?: readonly unknown[];
  readonly format?: unknown;
  readonly think?: boolean | string;
  readonly stream?: boolean;
  /** Since 0.12.11. */
  readonly logprobs?: boolean;
  readonly top_logprobs?: number;
  readonly truncate?: boolean;
  readonly keep_alive?: string | number;
  readonly options?: Readonly<Record<string, unknown>>;
}

export interface WireLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes?: readonly number[];
  readonly top_logprobs?: readonly WireLogprob[];
}

/** One line of a reply; the last one has `done: true` and the figures. */
export interface WireChunk {
  readonly model?: string;
  readonly message?: WireMessage;
  readonly response?: string;
  readonly thinking?: string;
  readonly logprobs?: readonly WireLogprob[];
  readonly done?: boolean;
  readonly done_reason?: string;
  readonly total_duration?: number;
  readonly load_duration?: number;
  readonly prompt_eval_count?: number;
  /** Since 0.33.3. */
  readonly prompt_eval_cached_count?: number;
  readonly prompt_eval_duration?: number;
  readonly eval_count?: number;
  readonly eval_duration?: number;
  readonly error?: string;
}

/** An entry of `/api/ps`. */
export interface WireLoadedModel {
  readonly name: string;
  readonly model: string;
  readonly digest: string;
  readonly size: number;
  readonly size_vram: number;
  readonly expires_at?: string;
  /** Since 0.10.0. */
  readonly context_length?: number;
}

/** An entry of `/api/tags`. */
export interface WireModel {
  readonly name: string;
  readonly model: string;
  readonly digest: string;
  /** Bytes of all its files. */
  readonly size?: number;
  /** ISO 8601. */
  readonly modified_at?: string;
  readonly remote_host?: string;
}

/** `/api/show`. */
export interface WireShow {
  readonly modelfile?: string;
  readonly parameters?: string;
  readonly template?: string;
  /** Of the Modelfile, as are the messages. */
  readonly system?: string;
  readonly messages?: readonly WireMessage[];
  readonly capabilities?: readonly string[];
  readonly model_info?: Readonly<Record<string, unknown>>;
  readonly remote_host?: string;
}
