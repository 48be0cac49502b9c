/** Sends one workload under every strategy, a few calls each in turn, so that whatever else the machine does hits all alike. */
import { AIMessage, type BaseMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import type { DecisionRecord } from "../../src/records.js";
import type { WorkloadCall, WorkloadMessage } from "../workload.js";
import { loaded, type Server, type Servers } from "./servers.js";
import { type Settings, STRATEGIES, type Strategy } from "./strategies.js";

/** Calls of one strategy before the next has its turn. */
const BLOCK = 5;

export interface PreparedCall {
  readonly kind: WorkloadCall["kind"];
  readonly messages: readonly WorkloadMessage[];
  /** Prompt tokens by the model's own tokenizer. */
  readonly exactTokens: number;
}

/** One call under one strategy. Milliseconds, tokens, bytes. */
export interface Trace {
  readonly call: number;
  readonly kind: WorkloadCall["kind"];
  readonly exactTokens: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly wallMs: number;
  readonly loadMs: number;
  readonly promptMs: number;
  readonly outputMs: number;
  readonly retries: number;
  /** The error that the user saw. */
  readonly refused: string | null;
  /** After the call, from `/api/ps`. */
  readonly window: number;
  readonly sizeBytes: number;
  readonly decision?: Pick<
    DecisionRecord,
    "action" | "countSource" | "promptTokens" | "needTokens" | "decideMs" | "reason"
  >;
}

interface Lane {
  readonly server: Server;
  readonly send: Strategy;
  readonly traces: Trace[];
}

/** Traces by strategy, in the order of the calls. */
export async function runAll(
  calls: readonly PreparedCall[],
  settings: Omit<Settings, "origin">,
  servers: Servers,
  progress: (done: number) => void,
): Promise<Record<string, readonly Trace[]>> {
  const names = Object.keys(STRATEGIES);
  const lanes = new Map<string, Lane>();
  const open = async (name: string): Promise<Lane> => {
    const server = await servers.fresh();
    return { server, send: STRATEGIES[name]!({ ...settings, origin: server.origin }), traces: [] };
  };
  try {
    if (!servers.areSeparate) {
      for (const name of names) {
        const lane = await open(name);
        lanes.set(name, lane);
        for (const [index, call] of calls.entries()) lane.traces.push(await trace(lane, call, index));
        progress(calls.length);
      }
    } else {
      for (const name of names) lanes.set(name, await open(name));
      for (let from = 0; from < calls.length; from += BLOCK) {
        // Nobody is always the first after the longest pause.
        const turn = (from / BLOCK) % names.length;
        for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
          const lane = lanes.get(name)!;
          for (let index = from; index < Math.min(from + BLOCK, calls.length); index++) {
            lane.traces.push(await trace(lane, calls[index]!, index));
          }
        }
        progress(Math.min(from + BLOCK, calls.length));
      }
    }
  } finally {
    await Promise.all([...lanes.values()].map(({ server }) => server.stop()));
  }
  return Object.fromEntries([...lanes].map(([name, lane]) => [name, lane.traces]));
}

async function trace({ server, send }: Lane, call: PreparedCall, index: number): Promise<Trace> {
  const messages = call.messages.map(messageOf);
  const nothing = { promptTokens: 0, outputTokens: 0, loadMs: 0, promptMs: 0, outputMs: 0, retries: 0 };
  let refused: string | null = null;
  const start = performance.now();
  const { decision, ...reply } = await send(messages).catch((error: unknown) => {
    refused = String((error as Error).message).slice(0, 200);
    return { ...nothing, decision: undefined };
  });
  const wallMs = performance.now() - start;
  const [model] = await loaded(server.origin);
  return {
    call: index,
    kind: call.kind,
    exactTokens: call.exactTokens,
    ...reply,
    wallMs,
    refused,
    window: model?.context_length ?? 0,
    sizeBytes: model?.size ?? 0,
    ...(decision && { decision: shown(decision) }),
  };
}

function shown({ action, countSource, promptTokens, needTokens, decideMs, reason }: DecisionRecord) {
  return { action, countSource, promptTokens, needTokens, decideMs, reason };
}

function messageOf({ role, content }: WorkloadMessage): BaseMessage {
  if (role === "system") return new SystemMessage(content);
  return role === "user" ? new HumanMessage(content) : new AIMessage(content);
}
