/**
 * What the callback handler costs a call of a fake model that answers at once (stream: 100 tokens), beside a handler
 * that does nothing, which is LangChain's own part.
 */
import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { OptimizerCallbackHandler } from "../../src/callbacks/optimizerCallbackHandler.js";
import { memoryStore } from "../../src/storage/memory.js";
import { type Benchmark, type Figure, median } from "../figures.js";

const CALLS = 100;

export const callbacks: Benchmark = {
  title: "The callback handler",
  async run({ short }) {
    const model = new FakeListChatModel({ responses: ["0123456789".repeat(10)] });
    const idle = BaseCallbackHandler.fromMethods({
      handleLLMStart() {},
      handleLLMNewToken() {},
      handleLLMEnd() {},
    });
    idle.awaitHandlers = true;
    const handlers = {
      none: undefined,
      idle: [idle],
      own: [new OptimizerCallbackHandler({ store: memoryStore() })],
    };
    const ways = {
      invoke: async (callbacks: BaseCallbackHandler[] | undefined) => {
        await model.invoke("Hi", { callbacks });
      },
      stream: async (callbacks: BaseCallbackHandler[] | undefined) => {
        for await (const _ of await model.stream("Hi", { callbacks }));
      },
    };
    const figures: Figure[] = [];
    for (const [way, call] of Object.entries(ways)) {
      const costs = new Map<string, number[]>(Object.keys(handlers).map((name) => [name, []]));
      for (let round = 0; round < (short ? 5 : 20); round++) {
        for (const [name, given] of Object.entries(handlers)) {
          const start = performance.now();
          for (let index = 0; index < CALLS; index++) await call(given);
          // The first round warms up.
          if (round > 0) costs.get(name)!.push(((performance.now() - start) * 1_000) / CALLS);
        }
      }
      const cost = (name: string) => median(costs.get(name)!);
      figures.push(
        { what: `${way}: an idle handler`, value: cost("idle") - cost("none"), unit: "us/call" },
        { what: `${way}: this handler`, value: cost("own") - cost("none"), unit: "us/call" },
      );
    }
    return figures;
  },
};
