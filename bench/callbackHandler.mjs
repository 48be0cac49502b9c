/**
 * What the callback handler costs a call of a fake model that answers at once (stream: 100 tokens): beside no
 * handler, a handler that does nothing (LangChain's own part), the handler as it is, which LangChain runs at once,
 * and the same in LangChain's background queue. Needs `npm run build`.
 */
import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { awaitAllCallbacks } from "@langchain/core/callbacks/promises";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { OptimizerCallbackHandler } from "../dist/callbacks/optimizerCallbackHandler.js";

const store = { location: "nowhere", append: async () => {}, merge: async () => {} };
const atOnce = new OptimizerCallbackHandler({ store });
const queued = new OptimizerCallbackHandler({ store });
queued.awaitHandlers = false;

const idle = BaseCallbackHandler.fromMethods({
  handleLLMStart() {},
  handleLLMNewToken() {},
  handleLLMEnd() {},
});
idle.awaitHandlers = true;

const CALLS = 200;
const ROUNDS = 15;
const model = new FakeListChatModel({ responses: ["0123456789".repeat(10)] });

async function invoke(callbacks) {
  await model.invoke("Hi", { callbacks });
}
async function stream(callbacks) {
  for await (const _ of await model.stream("Hi", { callbacks }));
}

/** Microseconds a call; the median round. */
async function cost(call, callbacks) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    for (let i = 0; i < CALLS; i += 1) await call(callbacks);
    if (callbacks?.[0] === queued) await awaitAllCallbacks();
    rounds.push(((performance.now() - start) * 1000) / CALLS);
  }
  return Math.round(rounds.sort((a, b) => a - b)[(ROUNDS - 1) / 2]);
}

const results = {};
for (const [name, call] of Object.entries({ invoke, stream })) {
  await cost(call, [atOnce]);
  results[name] = {
    "no handler": await cost(call, undefined),
    "idle handler": await cost(call, [idle]),
    "at once": await cost(call, [atOnce]),
    "in the queue": await cost(call, [queued]),
  };
}
console.log("microseconds a call");
console.table(results);
