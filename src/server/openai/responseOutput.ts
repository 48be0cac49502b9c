/**
 * A reply of Ollama's `/api/chat` as the items and events of a response. A reply that is not streamed takes the
 * same way, and its events are left unread.
 */
import type { WireChunk } from "../../backend/wire.js";
import { newId, nowSeconds } from "./identity.js";
import { logprobOf, type ToolCall, toolCallOf } from "./replyParts.js";

type Values = Readonly<Record<string, unknown>>;

export interface ResponseEvent extends Values {
  readonly type: string;
  readonly sequence_number: number;
}

interface Open {
  readonly type: "reasoning" | "message";
  readonly id: string;
  text: string;
  readonly logprobs: unknown[];
}

export class ResponseOutput {
  private readonly id = newId("resp_");
  private readonly createdAt = nowSeconds();
  private readonly items: Values[] = [];
  private open: Open | null = null;
  private sequence = 0;
  private calls = 0;
  private usage: Values | null = null;
  private isCut = false;

  constructor(
    private readonly model: string,
    private readonly echo: Values,
    private readonly isParallel: boolean,
  ) {}

  /** The response as it stands. */
  response(
    status: "in_progress" | "completed" | "incomplete" | "failed",
    error: Values | null = null,
  ): Values {
    return {
      id: this.id,
      object: "response",
      created_at: this.createdAt,
      completed_at: status === "completed" ? nowSeconds() : null,
      status,
      background: false,
      error,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      model: this.model,
      output: [...this.items],
      previous_response_id: null,
      service_tier: "default",
      store: false,
      usage: this.usage,
      ...this.echo,
    };
  }

  *begin(): Generator<ResponseEvent> {
    for (const type of ["response.created", "response.in_progress"]) {
      yield this.event(type, { response: this.response("in_progress") });
    }
  }

  *add(chunk: WireChunk): Generator<ResponseEvent> {
    const { content = "", thinking, tool_calls } = chunk.message ?? {};
    if (thinking) yield* this.text("reasoning", thinking, chunk);
    if (content || (chunk.logprobs?.length && !thinking)) yield* this.text("message", content, chunk);
    for (const call of tool_calls ?? []) {
      if (this.calls > 0 && !this.isParallel) break;
      // Text is what a limit left of a call.
      const isWhole = typeof call.function.arguments !== "string";
      yield* this.call(toolCallOf(call), isWhole ? "completed" : "incomplete");
    }
    if (!chunk.done) return;
    this.usage = usageOf(chunk);
    this.isCut = chunk.done_reason === "length";
    // Clients expect a message where the model said nothing at all.
    if (!this.open && this.items.length === 0) yield* this.start("message");
    yield* this.close(this.isCut ? "incomplete" : "completed");
  }

  *end(): Generator<ResponseEvent> {
    yield this.event(this.isCut ? "response.incomplete" : "response.completed", { response: this.final() });
  }

  /** The last event of a response whose reply broke off. */
  failed(code: string | null, message: string): ResponseEvent {
    const error = { code: code ?? "server_error", message };
    return this.event("response.failed", { response: this.response("failed", error) });
  }

  final(): Values {
    return this.response(this.isCut ? "incomplete" : "completed");
  }

  private *text(type: Open["type"], delta: string, { logprobs }: WireChunk): Generator<ResponseEvent> {
    if (this.open?.type !== type) {
      yield* this.close("completed");
      yield* this.start(type);
    }
    const open = this.open!;
    open.text += delta;
    if (type === "reasoning") {
      yield this.event("response.reasoning_summary_text.delta", { ...this.place(open), delta });
      return;
    }
    const entries = (logprobs ?? []).map(logprobOf);
    open.logprobs.push(...entries);
    yield this.event("response.output_text.delta", { ...this.place(open), delta, logprobs: entries });
  }

  private *start(type: Open["type"]): Generator<ResponseEvent> {
    const open: Open = { type, id: newId(type === "message" ? "msg_" : "rs_"), text: "", logprobs: [] };
    this.open = open;
    const item =
      type === "message"
        ? { id: open.id, type, status: "in_progress", role: "assistant", content: [] }
        : { id: open.id, type, status: "in_progress", summary: [] };
    yield this.event("response.output_item.added", { output_index: this.items.length, item });
    yield this.event(`${partEvent(open)}.added`, {
      ...this.place(open),
      part: partOf({ ...open, text: "" }),
    });
  }

  private *close(status: "completed" | "incomplete"): Generator<ResponseEvent> {
    const { open } = this;
    if (!open) return;
    const part = partOf(open);
    const { text } = open;
    if (open.type === "message") {
      yield this.event("response.output_text.done", { ...this.place(open), text, logprobs: open.logprobs });
    } else yield this.event("response.reasoning_summary_text.done", { ...this.place(open), text });
    yield this.event(`${partEvent(open)}.done`, { ...this.place(open), part });
    this.open = null;
    const { id, type } = open;
    yield* this.complete(
      type === "message"
        ? { id, type, status, role: "assistant", content: [part] }
        : { id, type, status, summary: [part] },
    );
  }

  private *call(
    { id: call_id, name, arguments: given }: ToolCall,
    status: "completed" | "incomplete",
  ): Generator<ResponseEvent> {
    this.calls++;
    yield* this.close("completed");
    const output_index = this.items.length;
    const item = { id: newId("fc_"), type: "function_call", call_id, name };
    const place = { item_id: item.id, output_index };
    yield this.event("response.output_item.added", {
      output_index,
      item: { ...item, status: "in_progress", arguments: "" },
    });
    yield this.event("response.function_call_arguments.delta", { ...place, delta: given });
    yield this.event("response.function_call_arguments.done", { ...place, name, arguments: given });
    yield* this.complete({ ...item, status, arguments: given });
  }

  private *complete(item: Values): Generator<ResponseEvent> {
    const output_index = this.items.length;
    this.items.push(item);
    yield this.event("response.output_item.done", { output_index, item });
  }

  private place({ id, type }: Open): Values {
    const index = type === "message" ? { content_index: 0 } : { summary_index: 0 };
    return { item_id: id, output_index: this.items.length, ...index };
  }

  private event(type: string, fields: Values): ResponseEvent {
    return { type, sequence_number: this.sequence++, ...fields };
  }
}

function partEvent({ type }: Open): string {
  return type === "message" ? "response.content_part" : "response.reasoning_summary_part";
}

function partOf({ type, text, logprobs }: Open): Values {
  return type === "message"
    ? { type: "output_text", text, annotations: [], logprobs }
    : { type: "summary_text", text };
}

/** Reasoning tokens are not known (Ollama counts all output together); the field is required. */
function usageOf(chunk: WireChunk): Values {
  const {
    prompt_eval_count: prompt = 0,
    eval_count: output = 0,
    prompt_eval_cached_count: cached = 0,
  } = chunk;
  return {
    input_tokens: prompt,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: prompt + output,
  };
}
