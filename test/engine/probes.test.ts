import { expect, it } from "vitest";
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
