import { expect, test } from "vitest";
import { overflowError } from "../../src/engine/overflowError.js";
import type { Limit } from "../../src/optimizer/decide.js";

const passed = (kind: Limit["kind"], limit = 4096): Limit => ({ kind, limit, needTokens: 6024 });
const of = (overflow: Limit, promptTokens = 5000, trainedNumCtx: number | null = 32_768) =>
  overflowError(overflow, promptTokens, { name: "tiny", trainedNumCtx });

test.each([
  ["trained", /4096 tokens that "tiny" was trained for/, /a model with a larger window/],
  ["ceiling", /window of 4096.*a larger one ran out of memory/, /inspect forget ceiling tiny/],
  ["maximum", /window of 4096.*maximumWindow allows no larger one/, /Raise maximumWindow to 6024/],
  ["allowed", /window of 4096.*ceiling of "tiny"/, /inspect set ceiling tiny 6024/],
  ["explicit", /4096 tokens set as numCtx/, /leave numCtx out/i],
  ["pinned", /4096 tokens that the window of "tiny" is pinned to/, /inspect unpin window tiny/],
] as const)("an overflow of the limit %s says which it was and what to do", (kind, message, remedy) => {
  const error = of(passed(kind));
  expect(error.message).toMatch(message);
  expect(error.remedy).toMatch(remedy);
  expect(error).toMatchObject({ limit: kind, limitTokens: 4096, promptTokens: 5000, needTokens: 6024 });
  if (kind !== "ceiling") expect(error.message).not.toMatch(/memory/);
});

test.each(["ceiling", "maximum", "allowed", "explicit", "pinned"] as const)(
  "where the model itself is too small, raising the limit %s is not advised",
  (kind) => {
    const { remedy } = of(passed(kind), 5000, 4500);
    expect(remedy).toMatch(/larger window than 4500/);
    expect(remedy).not.toMatch(/inspect|raise|leave/i);
  },
);

test("a prompt that fits while its reply does not is not said to be larger than the window", () => {
  expect(of(passed("trained"), 4090).message).toMatch(/4090 tokens and room for a reply are more than/);
});
