/** Checked by `npm run typecheck`; never run. */
import type { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { expectTypeOf } from "vitest";
import { OptimizerCallbackHandler, type OptimizerStore } from "../../src/index.js";

declare const store: OptimizerStore;

expectTypeOf(new OptimizerCallbackHandler()).toExtend<BaseCallbackHandler>();
expectTypeOf(new OptimizerCallbackHandler({ store: "./optimizer" }).store).toEqualTypeOf<OptimizerStore>();
new OptimizerCallbackHandler({ store, tags: ["nightly"], logger: console });
new OptimizerCallbackHandler({ store: false });
// @ts-expect-error true is no store
new OptimizerCallbackHandler({ store: true });
// @ts-expect-error a misspelt option
new OptimizerCallbackHandler({ stores: "./optimizer" });
