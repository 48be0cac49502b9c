/** The engine as the routes use it: calls take turns, and who looks sees them run and end. */
import type { Engine } from "../engine/engine.js";
import type { EngineCall, EngineReply } from "../engine/types.js";
import type { DecisionRecord, RequestRecord } from "../records.js";
import { type Activity, type CallStart, type Surface, type TrackedCall, UNTOLD } from "./activity.js";
import { cutPrevented } from "./cutPrevented.js";
import { codeOfFailure, failureOf } from "./failure.js";
import type { Turns } from "./turns.js";

type SideQuestions = "countTokens" | "tokenIds" | "modelFacts" | "learnModel" | "loadedOptions" | "lookAgain";

/** A call with what only the server knows of it. */
export interface ServerCall extends EngineCall {
  /** Whoever asks: clients take turns with one another. Default: one for all. */
  readonly client?: string;
  /** Default "ollama". */
  readonly surface?: Surface;
  /** The route that its client asked for; default `path`. */
  readonly route?: string;
}

export interface CallEngine extends Pick<Engine, SideQuestions> {
  /** @throws QueueError; else as {@link Engine.send} */
  send(call: ServerCall): Promise<EngineReply>;
}

/** A call as the activity tells it. */
export function startOf({ body, surface = "ollama", route, path }: ServerCall): CallStart {
  return { model: body.model, surface, path: route ?? path };
}

/** The same engine behind a queue, telling the activity about each call. */
export function callEngine(engine: Engine, turns: Turns, activity: Activity, now: () => number): CallEngine {
  return {
    countTokens: (call) => engine.countTokens(call),
    tokenIds: (call, model, text) => engine.tokenIds(call, model, text),
    modelFacts: (origin, model) => engine.modelFacts(origin, model),
    learnModel: (where, model) => engine.learnModel(where, model),
    loadedOptions: (where, model) => engine.loadedOptions(where, model),
    lookAgain: (origin) => engine.lookAgain(origin),
    send: async ({ client = "", surface, route, ...call }) => {
      const tracked = activity.begin(startOf({ surface, route, ...call }));
      const turn = turns.turn(client, call.signal);
      let queuedMs = 0;
      const admit: EngineCall["admit"] = (asking) => {
        const asked = now();
        const wait = turn.ask(asking);
        if (!wait) return null;
        return wait.finally(() => {
          queuedMs = now() - asked;
        });
      };
      try {
        const reply = await engine.send({ ...call, admit });
        turn.answered();
        tracked.change({ phase: "answering", ...decided(reply.decision()) });
        void reply.recorded.then((record) => {
          turn.end(record.decision?.outcome?.reloaded ? record.loadMs : null);
          ended(tracked, call, record, queuedMs);
        });
        return reply;
      } catch (error) {
        turn.end(null);
        failed(tracked, call, error, queuedMs);
        throw error;
      }
    },
  };
}

function decided(decision: DecisionRecord) {
  const { numCtx, action, templateId, promptTokens } = decision;
  return { numCtx, action, templateId, promptTokens };
}

function ended(tracked: TrackedCall, call: EngineCall, record: RequestRecord, queuedMs: number): void {
  const { decision, error } = record;
  const outcome = decision?.outcome;
  if (decision) {
    tracked.change({ ...decided(decision), promptTokens: record.promptTokens ?? decision.promptTokens });
  }
  tracked.end({
    decisionId: decision?.id ?? null,
    queuedMs,
    timeToFirstTokenMs: record.timeToFirstTokenMs,
    outputTokens: record.outputTokens,
    cachedTokens: record.cachedTokens,
    cached: false,
    reloaded: outcome?.reloaded ?? false,
    loadMs: record.loadMs,
    retries: outcome?.retries ?? 0,
    cutPrevented: cutPrevented(call.body.options ?? {}, record.promptTokens, outcome?.cut ?? false, error),
    status: statusOf(error),
    errorCode: error,
    reason: decision?.reason ?? null,
  });
}

/** A call that failed before its first line. */
function failed(tracked: TrackedCall, call: EngineCall, error: unknown, queuedMs: number): void {
  const errorCode = codeOfFailure(error);
  tracked.end({
    ...UNTOLD,
    queuedMs,
    cutPrevented: cutPrevented(call.body.options ?? {}, null, false, errorCode),
    status: failureOf(error).status,
    errorCode,
  });
}

/** A stream that broke off counts as 502, though its head said 200. */
function statusOf(error: string | null): number {
  if (error === null) return 200;
  return error === "ABORTED" ? 499 : 502;
}
