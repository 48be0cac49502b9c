import fc from "fast-check";
import { expect, test } from "vitest";
import { afterReply } from "../../src/optimizer/afterReply.js";
import { type CallFacts, type Decided, decide } from "../../src/optimizer/decide.js";
import type { SlotState } from "../../src/optimizer/slotState.js";
import { afterDecision, atSending, observe } from "../../src/optimizer/transitions.js";
import type { CountSource, RunnerOptions } from "../../src/records.js";
import { OllamaScheduler } from "./ollamaScheduler.js";
import { config, facts, GIB, loadedState, NOW, reply, slotWith } from "./situation.js";

const tokens = fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 150_000 }));
const trained = fc.oneof(
  fc.constantFrom(2048, 8192, 32_768, 40_960, 131_072),
  fc.integer({ min: 300, max: 200_000 }),
);
const explicit: fc.Arbitrary<RunnerOptions> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  fc.record({ num_ctx: fc.integer({ min: 1, max: 200_000 }) }),
  fc.record({ num_batch: fc.constantFrom(128, 512) }),
  fc.record({ num_gpu: fc.constantFrom(-1, 0, 20) }),
);
const call: fc.Arbitrary<CallFacts> = fc
  .record({
    prompt: tokens,
    reserve: fc.integer({ min: 0, max: 5000 }),
    source: fc.constantFrom<CountSource[]>("exact", "bound", "estimate"),
    extendsEarlierCall: fc.boolean(),
    explicit,
    setByUser: fc.boolean(),
  })
  .map(({ prompt, reserve, source, extendsEarlierCall, explicit, setByUser }) =>
    facts(prompt, {
      source,
      extendsEarlierCall,
      explicit,
      reserve: setByUser
        ? { tokens: reserve + 1, source: "numPredict" }
        : { tokens: reserve, source: "model" },
    }),
  );
const slot: fc.Arbitrary<SlotState> = fc
  .record({
    trained: fc.option(trained),
    numCtx: fc.option(fc.integer({ min: 4, max: 150_000 })),
    batch: fc.option(fc.constantFrom(128, 512), { nil: undefined }),
    spill: fc.double({ min: 0, max: 1, noNaN: true }),
    others: fc.integer({ min: 0, max: 2 }),
    recentNeeds: fc.array(tokens, { maxLength: 64 }),
    largestNeeds: fc.array(tokens, { maxLength: 6 }),
    ceiling: fc.option(fc.integer({ min: 1000, max: 100_000 })),
    refusesOverflow: fc.constantFrom(true, false, null),
    spillCostMs: fc.integer({ min: 0, max: 9000 }),
  })
  .map((parts) => {
    const numCtx =
      parts.numCtx === null ? null : Math.min(parts.numCtx, parts.trained ?? Number.POSITIVE_INFINITY);
    const bytes = (window: number) => 5 * GIB + window * 131_072;
    const points = [numCtx ?? 4096, 2048, 512].map((window) => ({
      numCtx: window,
      numBatch: parts.batch ?? null,
      sizeBytes: bytes(window),
      vramBytes: bytes(window) * (1 - parts.spill),
    }));
    return slotWith({
      trained: parts.trained,
      loaded: loadedState(numCtx, {
        otherModelsLoaded: parts.others,
        sizeBytes: bytes(numCtx ?? 0),
        vramBytes: bytes(numCtx ?? 0) * (1 - parts.spill),
      }),
      options: numCtx === null ? {} : { num_ctx: numCtx, ...(parts.batch && { num_batch: parts.batch }) },
      known: {
        recentNeeds: parts.recentNeeds,
        largestNeeds: parts.largestNeeds,
        refusesOverflow: parts.refusesOverflow,
        spillCostMs: parts.spillCostMs,
        loadMs: [4000],
        memory: points,
        sawVram: true,
        ceilings:
          parts.ceiling === null
            ? []
            : [{ numCtx: parts.ceiling, at: new Date(NOW).toISOString(), loadedBytes: 0 }],
      },
    });
  });

const check = (property: (slot: SlotState, call: CallFacts, decided: Decided) => void) =>
  fc.assert(
    fc.property(slot, call, (state, facts) => {
      property(state, facts, decide(state, facts, config, NOW));
    }),
    { numRuns: 1000 },
  );

test("the window is never below the need, unless a limit says so", () => {
  check((_slot, _call, decided) => {
    const limited = decided.overflow ?? decided.tight;
    if (limited) expect(limited.limit).toBe(decided.options.num_ctx);
    else expect(decided.options.num_ctx).toBeGreaterThanOrEqual(decided.needTokens!);
  });
});

test("every chosen window is a multiple of 256, the trained one, the user's, or what is loaded", () => {
  check((slot, call, decided) => {
    const window = decided.options.num_ctx!;
    const fits = [slot.trainedNumCtx, call.explicit.num_ctx, slot.loaded?.numCtx].includes(window);
    expect(fits || window % 256 === 0).toBe(true);
    expect(window).toBeGreaterThan(0);
    expect(window).toBeLessThanOrEqual(slot.trainedNumCtx ?? Number.POSITIVE_INFINITY);
  });
});

test("keep sends exactly the loaded options, and nothing else avoids a reload", () => {
  check((slot, _call, decided) => {
    if (decided.action === "keep") expect(decided.options).toEqual(slot.options);
    else expect(decided.options).not.toEqual(slot.options);
  });
});

test("a loaded window that covers is kept, or shrunk to one that covers too", () => {
  check((slot, call, decided) => {
    const covers = slot.loaded?.numCtx != null && slot.loaded.numCtx >= decided.needTokens!;
    if (!covers || Object.keys(call.explicit).length > 0) return;
    expect(["keep", "shrink"]).toContain(decided.action);
    expect(decided.options.num_ctx).toBeGreaterThanOrEqual(decided.needTokens!);
  });
});

test("the user's options go out as set, the window clamped to the trained one", () => {
  check((slot, call, decided) => {
    const { num_ctx: window, num_gpu: gpu, ...others } = call.explicit;
    expect(decided.options).toMatchObject(others);
    if (gpu !== undefined && gpu >= 0) expect(decided.options.num_gpu).toBe(gpu);
    if (window) expect(decided.options.num_ctx).toBe(Math.min(window, slot.trainedNumCtx ?? window));
  });
});

test("prompt and num_predict fit the window when the count is exact", () => {
  check((_slot, call, decided) => {
    expect(decided.numPredict === undefined).toBe(decided.overflow !== undefined);
    if (decided.numPredict === undefined) return;
    expect(decided.numPredict).toBeGreaterThanOrEqual(1);
    if (call.prompt?.source !== "exact") return;
    expect(call.prompt.tokens + decided.numPredict).toBeLessThanOrEqual(decided.options.num_ctx!);
  });
});

test("among concurrent calls the target only rises, and all of them can be sent with the last one", () => {
  fc.assert(
    fc.property(slot, fc.array(call, { maxLength: 12 }), (start, calls) => {
      let state = start;
      let target = 0;
      const decisions: Decided[] = [];
      for (const facts of calls.map((facts) => ({ ...facts, explicit: {} }))) {
        const decided = decide(state, facts, config, NOW);
        state = afterDecision(state, decided, NOW);
        decisions.push(decided);
        // The first reload may shrink; from then on nothing does.
        const window = state.pending?.options.num_ctx ?? 0;
        expect(window).toBeGreaterThanOrEqual(target);
        target = window;
      }
      for (const decided of decisions) {
        const sent = atSending(state, decided, {}).options.num_ctx!;
        expect(sent).toBeGreaterThanOrEqual(decided.options.num_ctx!);
        if (state.pending) expect(sent).toBeGreaterThanOrEqual(target);
      }
    }),
  );
});

/** What can happen between two calls. */
type Event = { readonly kind: "call"; readonly facts: CallFacts } | { readonly kind: "unload" } | Foreign;
interface Foreign {
  readonly kind: "foreign";
  readonly options: RunnerOptions;
}
const ownCall = fc.record({
  kind: fc.constant("call" as const),
  facts: call.map((f) => ({ ...f, explicit: {} })),
});
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 8, arbitrary: ownCall },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unload" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("foreign" as const),
      options: fc.oneof(fc.constant({}), fc.record({ num_ctx: fc.integer({ min: 512, max: 20_000 }) })),
    }),
  },
);

test("on Ollama's own rule, exactly the decided reloads happen, whatever other clients do", () => {
  fc.assert(
    fc.property(trained, fc.array(event, { maxLength: 60 }), (trainedNumCtx, events) => {
      const server = new OllamaScheduler(trainedNumCtx);
      let state = slotWith({ trained: trainedNumCtx });
      let now = NOW;
      for (const happened of events) {
        now += 1000;
        if (happened.kind === "unload") server.unload();
        else if (happened.kind === "foreign") server.request(happened.options);
        else {
          state = observe(state, loadedState(server.loaded?.num_ctx ?? null, { observedAt: now })).slot;
          const decided = decide(state, happened.facts, config, now);
          const reloaded = server.request(decided.options);
          expect(reloaded).toBe(decided.action !== "keep");
          const answer = reply(happened.facts.prompt!.tokens, { loadMs: reloaded ? 3000 : 20 });
          const after = afterReply(afterDecision(state, decided, now), happened.facts, decided, answer, now);
          expect(after.isForeignReload).toBe(false);
          state = after.slot;
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("alone on a server, loads are bounded by the rungs up to the largest need, however calls come", () => {
  fc.assert(
    fc.property(trained, fc.array(ownCall, { minLength: 1, maxLength: 200 }), (trainedNumCtx, calls) => {
      const server = new OllamaScheduler(trainedNumCtx);
      let state = slotWith({ trained: trainedNumCtx });
      let largest = 0;
      let window = 0;
      for (const { facts } of calls) {
        const decided = decide(state, facts, config, NOW);
        server.request(decided.options);
        expect(decided.options.num_ctx).toBeGreaterThanOrEqual(window);
        window = decided.options.num_ctx!;
        largest = Math.max(largest, decided.needTokens!);
        state = afterReply(
          afterDecision(state, decided, NOW),
          facts,
          decided,
          reply(facts.prompt!.tokens),
          NOW,
        ).slot;
      }
      // Each growth leaves 15 % above its need, so the next need is as much larger.
      const steps = Math.max(0, Math.ceil(Math.log(largest / config.minimumWindow) / Math.log(1.15)));
      expect(server.loads).toBeLessThanOrEqual(1 + steps);
    }),
    { numRuns: 100 },
  );
});
