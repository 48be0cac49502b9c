/** What is decided about one call before it goes out, and what the decision rests on. */
import { randomUUID } from "node:crypto";
import type { WireRequest } from "../backend/wire.js";
import type { CallFacts, Decided } from "../optimizer/decide.js";
import type { PromptHead } from "../optimizer/fingerprint.js";
import { POLICY_VERSION } from "../optimizer/policyVersion.js";
import type { TemplateMatch } from "../optimizer/templates.js";
import { type DecisionOutcome, type DecisionRecord, SCHEMA_VERSION } from "../records.js";
import type { InstalledModel, ServerWatch } from "./serverWatch.js";
import type { EngineCall } from "./types.js";
import type { Glance } from "./undecidedOutcome.js";

/** One call on its way. `decided` and `decision` change when it is retried or answered. */
export interface Plan {
  readonly call: EngineCall;
  readonly watch: ServerWatch;
  readonly serverId: string;
  /** null when nothing is decided: switched off, remote, or the server's lists failed. */
  basis: PlanBasis | null;
  decided: Decided;
  decision: DecisionRecord;
  /** Of an undecided call, while it is answered. */
  glance?: Promise<void>;
  seen?: Glance;
}

export interface PlanBasis {
  readonly model: InstalledModel;
  readonly facts: CallFacts;
  readonly head: PromptHead;
  readonly match: TemplateMatch | null;
  /** Records whose statistics apply, most specific first. */
  readonly statisticsIds: readonly string[];
  readonly slotId: string;
}

/** A call that goes out as written; `truncate: false` where nothing is known, nothing where it is switched off. */
export function undecided(reason: string, refuseCut: boolean): Decided {
  return {
    action: "pass",
    options: {},
    numPredict: undefined,
    truncate: refuseCut ? false : undefined,
    promptTokens: null,
    countSource: "estimate",
    needTokens: null,
    outputReserve: null,
    loadedNumCtx: null,
    reason,
    confidence: 0,
    joinsReload: false,
  };
}

/** The permanent record of a decision. */
export function decisionRecord(
  plan: Pick<Plan, "call" | "serverId" | "basis" | "decided">,
  decideMs: number,
  id: string = randomUUID(),
): DecisionRecord {
  const { call, basis, decided } = plan;
  const sent = sentOptions(call.body, decided);
  return {
    id,
    schemaVersion: SCHEMA_VERSION,
    policyVersion: POLICY_VERSION,
    serverId: plan.serverId,
    slot: basis?.model.blob ?? "",
    action: decided.action,
    numCtx: number(sent.num_ctx),
    numBatch: number(sent.num_batch),
    numPredict: number(sent.num_predict),
    loadedNumCtx: decided.loadedNumCtx,
    promptTokens: decided.promptTokens,
    needTokens: decided.needTokens,
    outputReserve: decided.outputReserve,
    countSource: decided.countSource,
    confidence: decided.confidence,
    templateId: call.templateId ?? basis?.match?.templateId ?? null,
    trimmedMessages: call.trimmedMessages ?? 0,
    reason: decided.reason,
    decideMs: Math.round(decideMs * 1000) / 1000,
  };
}

/** The record of the same decision after its reply, or after it was decided anew for the retry. */
export function withOutcome(decision: DecisionRecord, outcome: DecisionOutcome): DecisionRecord {
  return { ...decision, outcome };
}

/** All options that go out: the user's, and what was decided where the user set nothing. */
function sentOptions(body: WireRequest, decided: Decided): Record<string, unknown> {
  const options: Record<string, unknown> = { ...body.options, ...decided.options };
  if (decided.numPredict !== undefined) options.num_predict = decided.numPredict;
  return options;
}

/** The request that goes out. */
export function sentBody(body: WireRequest, decided: Decided): WireRequest {
  const options = sentOptions(body, decided);
  const sent: Record<string, unknown> = { ...body };
  if (Object.keys(options).length > 0) sent.options = options;
  if (decided.truncate === false && body.truncate === undefined) sent.truncate = false;
  if (decided.keepAliveSeconds !== undefined) sent.keep_alive ??= decided.keepAliveSeconds;
  return sent as unknown as WireRequest;
}

function number(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}
