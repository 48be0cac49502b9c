/** Calls of one model in any order of deciding, sending, answering, reading and failing, on Ollama's own rule. */
import { expect, test } from "vitest";
import type { InstalledModel, ServerWatch } from "../../src/engine/serverWatch.js";
import { Slots } from "../../src/engine/slots.js";
import { steadyNow } from "../../src/engine/steadyClock.js";
import type { CallFacts, Decided } from "../../src/optimizer/decide.js";
import type { RunnerOptions } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import { OllamaScheduler } from "../optimizer/ollamaScheduler.js";
import { config, facts, reply } from "../optimizer/situation.js";

const TRAINED = 65_536;
const OPTIONS: readonly RunnerOptions[] = [
  {},
  {},
  {},
  { num_ctx: 2048 },
  { num_batch: 128 },
  { num_ctx: 8192, num_batch: 128 },
];

/** One call: decided, sent, answering (the server may be done with it long before its reader is). */
interface Call {
  readonly facts: CallFacts;
  decided: Decided;
  phase: "decided" | "sent" | "answering" | "read";
  isServed: boolean;
  loadMs: number;
}

/** Numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function run(seed: number): void {
  const random = randomFrom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const server = new OllamaScheduler(TRAINED);
  const slots = new Slots(memoryStore());
  const model = { name: "tiny", digest: "d", blob: "b", trainedNumCtx: TRAINED } as InstalledModel;
  const watch = {
    observedAt: 0,
    loadedState: () =>
      server.loaded && { numCtx: server.loaded.num_ctx, sizeBytes: 5, vramBytes: 5, expiresAt: null },
    otherModelsLoaded: () => ({ count: 0, bytes: 0 }),
  } as unknown as ServerWatch;
  const look = (): string => {
    watch.observedAt = steadyNow();
    return slots.see("server", model, watch);
  };
  const id = look();
  const queue: Call[] = [];
  let calls: Call[] = [];
  const fail = (call: Call): void => {
    slots.failed(id, call.decided);
    call.phase = "read";
    if (queue.includes(call)) queue.splice(queue.indexOf(call), 1);
  };
  const serve = (): void => {
    const [call] = queue;
    if (!call) return;
    const next = new OllamaScheduler(TRAINED);
    next.loaded = server.loaded;
    const inUse = calls.filter(({ phase, isServed }) => phase === "answering" && !isServed);
    // A reload waits until nobody uses the runner.
    if (next.request(call.decided.options) && inUse.length > 0) {
      pick(inUse).isServed = true;
      return;
    }
    queue.shift();
    call.loadMs = server.request(call.decided.options) ? 3000 : 20;
    call.phase = "answering";
    slots.loaded(id, call.decided);
  };
  const begin = (): void => {
    const known = facts(Math.floor(random() * (random() < 0.8 ? 5000 : 60_000)), { explicit: pick(OPTIONS) });
    const decided = slots.decide(id, known, config);
    if (decided.overflow) return;
    slots.started(id);
    calls.push({ facts: known, decided, phase: "decided", isServed: false, loadMs: 0 });
  };
  const advance = (call: Call): void => {
    if (random() < 0.1) fail(call);
    else if (call.phase === "decided") {
      call.decided = slots.atSending(id, call.facts, call.decided);
      expect(call.decided.options.num_ctx! >= call.decided.needTokens! || call.decided.tight).toBeTruthy();
      call.phase = "sent";
      queue.push(call);
    } else if (call.phase === "answering") {
      const answer = reply(call.facts.prompt!.tokens, { loadMs: call.loadMs });
      slots.answered(id, call.facts, call.decided, answer);
      call.phase = "read";
    } else serve();
  };
  for (let step = 0; step < 60; step++) {
    calls = calls.filter(({ phase }) => phase !== "read");
    const what = random();
    if (calls.length === 0 || what < 0.3) begin();
    else if (what < 0.4) look();
    else advance(pick(calls));
  }
  for (const call of calls) if (call.phase !== "read") fail(call);
  // Nothing is on its way: whatever happened, a call that fits what is loaded does not reload it.
  expect(slots.idleOptions(id) !== null || slots.loadedOptions(id) === null).toBe(true);
  const small = facts(10, { reserve: { tokens: 100, source: "model" } });
  const decided = slots.decide(id, small, config);
  if (server.loaded) expect(server.request(decided.options)).toBe(false);
}

test("whatever order calls come and go in, none is left on its way, and what is loaded is known", () => {
  for (let seed = 1; seed <= 200; seed++) {
    try {
      run(seed);
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
  }
});
