import { ContextOverflowError, ModelAbortError } from "@langchain/core/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import { errorCode } from "../../src/callbacks/errorCode.js";
import { OptimizerError } from "../../src/errors.js";

test.each([
  [new OptimizerError({ code: "STORE_DAMAGED", message: "x", remedy: "y" }), "STORE_DAMAGED"],
  [new ContextOverflowError("40000 tokens"), "CONTEXT_OVERFLOW"],
  [new ModelAbortError("aborted"), "ABORTED"],
  [AbortSignal.abort().reason, "ABORTED"],
  [new DOMException("30 s", "TimeoutError"), "TIMEOUT"],
  [Object.assign(new Error("x"), { lc_error_code: "MODEL_NOT_FOUND" }), "MODEL_NOT_FOUND"],
  [Object.assign(new Error("x"), { code: "invalid_api_key", status: 401 }), "INVALID_API_KEY"],
  [Object.assign(new Error("x"), { code: "the prompt was: secret", status: 500 }), "HTTP_500"],
  [new Error("outer", { cause: new Error("inner", { cause: { code: "ECONNRESET" } }) }), "ECONNRESET"],
])("%s is recorded as %s", (error, code) => {
  expect(errorCode(error)).toBe(code);
});

test("a cause that leads back to itself ends", () => {
  const error = new Error("loop");
  error.cause = error;

  expect(errorCode(error)).toBe("UNKNOWN");
});

test("whatever is thrown, the code is a short word without text", () => {
  fc.assert(
    fc.property(fc.anything(), (thrown) => {
      expect(errorCode(thrown)).toMatch(/^[A-Z][A-Z0-9_]{0,63}$/);
    }),
  );
});
