import { expect, it } from "vitest";
import type { DecisionRecord } from "../../src/records.js";
import { bench } from "../chatModel/support.js";

it("learns the chat template in the first pause, however long a program called without one", async () => {
  await using test = await bench({ content: "ok", delayMs: 120 });
  const model = test.model();
  const ask = async () => {
    const { response_metadata } = await model.invoke("How are you?");
    return (response_metadata.optimizer as { countSource: string }).countSource;
  };
  // Probes wait for 50 ms of idleness: the one of each reply meets the next call.
  for (let call = 0; call < 5; call++) await ask();
  await expect.poll(ask, { timeout: 10_000, interval: 400 }).toBe("exact");
});

it("learns in a pause also what was asked right before the last call, as the first call of an agent is", async () => {
  await using test = await bench({ content: "ok", delayMs: 120 });
  const model = test.model();
  const sources = async () => {
    const replies = [
      await model.invoke("How are you?"),
      await model.invoke([["system", "Be terse."], "And you?"]),
    ];
    return replies.map(
      ({ response_metadata }) => (response_metadata.optimizer as DecisionRecord).countSource,
    );
  };
  await expect.poll(sources, { timeout: 10_000, interval: 600 }).toEqual(["exact", "exact"]);
});

it("probes nothing while a call that is not optimized is on its way, which may be loading another window", async () => {
  await using test = await bench({ content: "ok", delayMs: 200 });
  const model = test.model();
  const probes = () => test.server.requests.filter(({ body }) => (body as Asked)?._debug_render_only);
  await model.invoke("How are you?");
  await model.invoke("And you?", { optimize: false });
  expect(probes()).toEqual([]);
});

type Asked = { readonly _debug_render_only?: boolean } | null | undefined;
