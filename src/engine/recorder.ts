/**
 * After the reply: what it cost goes into the request log, and slot, template and tokenizer learn from it. All
 * of it in memory at once, on disk in the background; anything that fails here is logged, never thrown.
 */
import type { WireChunk, WireMessage } from "../backend/wire.js";
import { markRecorded, OptimizerError } from "../errors.js";
import type { Logger } from "../logger.js";
import { replyQuality } from "../optimizer/quality.js";
import { type RequestRecord, SCHEMA_VERSION } from "../records.js";
import { promptHasher } from "../storage/promptHasher.js";
import type { OptimizerStore } from "../storage/store.js";
import { ABANDONED, type EndOfCall } from "./endOfCall.js";
import { type Plan, withOutcome } from "./plan.js";
import type { Planner } from "./planner.js";
import { messagesOf } from "./promptCounter.js";
import { milliseconds, type ReplyObserver } from "./replyObserver.js";
import { replyOf } from "./slots.js";
import { steadyNow } from "./steadyClock.js";
import type { EngineCall } from "./types.js";
import { glance, undecidedOutcome } from "./undecidedOutcome.js";

/** So long the last line of an undecided reply waits for a look at the server, which takes 1 to 5 ms. */
const GLANCE_MS = 100;
/** Probes wait until the slot has been idle for this long. */
const IDLE_MS = 50;
/** Characters of the prompt that its hash covers, beside its length: hashing 10 MB would block for 20 ms. */
const HASHED = 131_072;

export class Recorder {
  private warned = false;
  private readonly hash: (text: string) => string | null;

  constructor(
    private readonly store: OptimizerStore,
    private readonly planner: Planner,
    private readonly logger: Logger,
  ) {
    this.hash = promptHasher(store);
  }

  /** Begins a call. What it returns ends it, once; the plan's decision has its outcome from then on. */
  begin(plan: Plan, observer: ReplyObserver, startedAt: number): EndOfCall {
    let ended = false;
    let resolve: (record: RequestRecord) => void;
    const recorded = new Promise<RequestRecord>((done) => {
      resolve = done;
    });
    if (plan.basis) this.planner.slots.started(plan.basis.slotId);
    else plan.watch.undecided++;
    const sentAt = steadyNow();
    const end = (error: unknown): void => {
      if (ended) return;
      ended = true;
      const endedAt = steadyNow();
      const take = (): void => {
        this.safely(() => this.learn(plan, observer, sentAt, error));
        const record = requestRecord(plan, observer, error, startedAt, endedAt, this.planner, this.hash);
        this.safely(() => this.keep(plan, observer, record, error));
        resolve(record);
      };
      if (error === null && plan.call.recordsLater) setImmediate(take);
      else take();
    };
    return Object.assign(end, { recorded });
  }

  /** The first line came: whatever was sent is loaded now. */
  answering(plan: Plan): void {
    if (plan.basis) this.planner.slots.loaded(plan.basis.slotId, plan.decided);
    else if (!isRefusing(plan)) plan.glance = this.glanceAt(plan);
  }

  private async glanceAt(plan: Plan): Promise<void> {
    plan.seen = await glance(plan.watch, this.planner.counter, plan.call.body).catch(() => undefined);
  }

  /** The last line came: a look at the server that is still under way is given a moment. */
  async answered({ glance }: Plan): Promise<void> {
    await Promise.race([glance, new Promise((resolve) => setTimeout(resolve, GLANCE_MS).unref())]);
  }

  private learn(plan: Plan, observer: ReplyObserver, sentAt: number, error: unknown): void {
    const { basis, decided } = plan;
    const retries = plan.decision.outcome?.retries ?? 0;
    const nothing = { retries, reloaded: false, shifted: false, cut: false, error: errorCode(error) };
    plan.decision = withOutcome(plan.decision, nothing);
    const { final } = observer;
    // What failed, or went out as it was written, may have changed what is loaded.
    if (!basis || !final) plan.watch.markStale();
    if (!basis) {
      plan.watch.undecided--;
      if (!final) return;
      const outcome = undecidedOutcome(plan.seen, plan.call.body, final, isRefusing(plan));
      plan.decision = withOutcome(plan.decision, { ...nothing, ...outcome });
      return;
    }
    if (!final) {
      this.planner.slots.failed(basis.slotId, decided);
      return;
    }
    const reply = {
      ...replyOf(final, sentAt, retries, isTwoRequests(plan)),
      unloads: unloads(plan),
    };
    const after = this.planner.slots.answered(basis.slotId, basis.facts, decided, reply);
    plan.decision = withOutcome(plan.decision, after.outcome);
    if (after.isStale) plan.watch.markStale();
    const counted = after.isLearnable ? reply.promptTokens : null;
    setTimeout(() => this.whenIdle(plan, counted).catch(() => {}), IDLE_MS).unref();
  }

  /** Learns the chat template where this call showed something new of it, then what the server counts beyond it. What fails here fails again with the next call. */
  private async whenIdle(plan: Plan, promptTokens: number | null): Promise<void> {
    await this.planner.probe(plan);
    if (plan.basis && promptTokens !== null) {
      await this.planner.counter.learn(plan.basis.model, plan.call.body, promptTokens);
    }
  }

  private keep(plan: Plan, observer: ReplyObserver, record: RequestRecord, error: unknown): void {
    // A caller that trims sends again, and that call is recorded; a reply nobody read to its end is no sample.
    if (errorCode(error) === "CONTEXT_OVERFLOW" && plan.call.onOverflow === "trim") return;
    const { basis } = plan;
    if (basis && error !== ABANDONED) {
      const { cut = false, shifted = false } = plan.decision.outcome ?? {};
      this.planner.templates.observe(
        this.planner.indexOf(plan.call, basis.model),
        basis.head,
        basis.match,
        {
          promptTokens: cut || isTwoRequests(plan) ? null : record.promptTokens,
          outputTokens: shifted ? null : record.outputTokens,
          totalMs: record.totalMs,
          censored: observer.final?.done_reason === "length",
          error: record.error,
        },
        new Date(record.at),
      );
    }
    const templateId = basis?.facts.reserve.source === "template" ? basis.match?.templateId : undefined;
    if (templateId !== undefined && record.quality !== null) {
      this.planner.reserveRule.observe(templateId, record.quality, new Date(record.at));
    }
    this.store.append(this.redacted(record, plan.call.redact)).catch(() => {
      // The store logs what it cannot write.
    });
    markRecorded(error);
  }

  private redacted(record: RequestRecord, redact: EngineCall["redact"]): RequestRecord {
    const { text, ...withoutText } = record;
    if (!text || !redact) return record;
    try {
      return { ...withoutText, text: { prompt: redact(text.prompt), reply: redact(text.reply) } };
    } catch (error) {
      // The error may quote the text: its class is all that is said.
      const name = error instanceof Error ? error.name : typeof error;
      this.logger.warn(`optimizer: redact threw ${name}; the text of a call is not kept`);
      return withoutText;
    }
  }

  private safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      const text = `optimizer: what a call cost was not learned (${error instanceof Error ? error.name : typeof error})`;
      if (this.warned) this.logger.debug?.(text);
      else this.logger.warn(text);
      this.warned = true;
    }
  }
}

/** Calls that are not optimized are not asked to refuse. */
function isRefusing({ decided }: Plan): boolean {
  return decided.truncate === false;
}

function requestRecord(
  plan: Plan,
  observer: ReplyObserver,
  error: unknown,
  startedAt: number,
  endedAt: number,
  planner: Planner,
  hash: (text: string) => string | null,
): RequestRecord {
  const { call, basis, decision, watch } = plan;
  const final: WireChunk = observer.final ?? {};
  const loaded = basis ? watch.loadedState(basis.model) : null;
  const messages = messagesOf(call.body);
  const host = planner.host.sample();
  const code = errorCode(error);
  return {
    schemaVersion: SCHEMA_VERSION,
    id: decision.id,
    at: new Date(Date.now() - (endedAt - startedAt)).toISOString(),
    source: call.source,
    serverId: plan.serverId,
    model: call.body.model,
    digest: basis?.model.digest || null,
    templateId: decision.templateId,
    promptHash: hash(hashedText(messages)),
    inputTokens: inputTokens(messages.at(-1)?.content ?? ""),
    promptTokens: final.prompt_eval_count ?? null,
    outputTokens: final.eval_count ?? null,
    cachedTokens: final.prompt_eval_cached_count ?? null,
    totalMs: milliseconds(final.total_duration) ?? endedAt - startedAt,
    loadMs: milliseconds(final.load_duration),
    promptMs: milliseconds(final.prompt_eval_duration),
    outputMs: milliseconds(final.eval_duration),
    timeToFirstTokenMs: observer.firstOutputAt === null ? null : observer.firstOutputAt - startedAt,
    numCtx: decision.numCtx,
    numBatch: decision.numBatch,
    modelBytes: loaded?.sizeBytes ?? null,
    modelVramBytes: loaded?.vramBytes ?? null,
    ...(host && { host }),
    doneReason: final.done_reason ?? null,
    toolCalls: observer.toolCalls,
    quality: observer.final ? quality(plan, observer, planner) : null,
    error: code,
    decision,
    runId: call.runId ?? null,
    ...(call.storeText && { text: { prompt: linesOf(messages).join("\n"), reply: observer.text } }),
    ...(call.owner !== undefined && { owner: call.owner }),
    ...(call.tags !== undefined && { tags: call.tags }),
  };
}

function linesOf(messages: readonly WireMessage[]): string[] {
  return messages.map(({ role, content }) => `${role}\n${content}`);
}

/** The prompt, or of a long one its length and its beginning; not joined whole, which blocks for 7 ms at 10 MB. */
function hashedText(messages: readonly WireMessage[]): string {
  const length = messages.reduce((sum, { role, content }) => sum + role.length + content.length + 2, -1);
  if (length <= HASHED) return linesOf(messages).join("\n");
  let head = "";
  for (const { role, content } of messages) {
    if (head.length > HASHED) break;
    head += `${role}\n${content.slice(0, HASHED)}\n`;
  }
  return `${length} ${head.slice(0, HASHED)}`;
}

/** A token of English is about 4 bytes; of a long text the beginning stands for the whole. */
function inputTokens(text: string): number {
  const head = text.slice(0, HASHED);
  return Math.ceil((Buffer.byteLength(head) * text.length) / Math.max(1, head.length) / 4);
}

function quality({ call, basis, decision }: Plan, observer: ReplyObserver, planner: Planner): number {
  const { num_predict: numPredict } = call.body.options ?? {};
  return replyQuality({
    text: observer.text,
    doneReason: observer.final?.done_reason ?? null,
    // Not the user's where the window had less room than that.
    hasUserLimit:
      typeof numPredict === "number" && numPredict > 0 && (decision.numPredict ?? numPredict) >= numPredict,
    expectsJson: Boolean(call.body.format) && !observer.isTail,
    outputTokens: observer.final?.eval_count ?? null,
    toolCalls: observer.toolCalls,
    norm: basis ? planner.templates.outputTokens(basis.statisticsIds) : undefined,
  });
}

/** Thinking with a format makes two requests of one call; the figures are the second's (Ollama `server/routes.go`). */
function isTwoRequests({ call, basis }: Plan): boolean {
  return (
    Boolean(call.body.format) &&
    call.body.think !== false &&
    (basis?.model.capabilities.includes("thinking") ?? false)
  );
}

function unloads({ call, decided }: Plan): boolean {
  const keepAlive = call.body.keep_alive ?? decided.keepAliveSeconds;
  return keepAlive !== undefined && Number.parseFloat(String(keepAlive)) === 0;
}

/** A code for the record, never a server's text: it may quote the prompt. */
function errorCode(error: unknown): string | null {
  if (error === null || error === undefined) return null;
  if (OptimizerError.isInstance(error)) return error.code;
  if (error instanceof Error && error.name === "TimeoutError") return "TIMEOUT";
  if (error instanceof Error && error.name === "AbortError") return "ABORTED";
  return "UNKNOWN";
}
