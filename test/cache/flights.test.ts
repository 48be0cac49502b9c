import { expect, test } from "vitest";
import { unlessAborted } from "../../src/cache/flights.js";

test("work that fails after its caller has gone is nobody's, and does not end the program", async () => {
  const heard: unknown[] = [];
  const hear = (reason: unknown) => void heard.push(reason);
  process.on("unhandledRejection", hear);
  let fail: (reason: Error) => void = () => {};
  const work = new Promise<never>((_, reject) => {
    fail = reject;
  });
  await expect(unlessAborted(work, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
  fail(new Error("too late"));
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.off("unhandledRejection", hear);
  expect(heard).toEqual([]);
});
