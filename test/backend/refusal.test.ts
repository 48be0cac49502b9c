import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { contextRefusal, isOutOfMemory, unreachable, upstreamError } from "../../src/backend/refusal.js";

interface Exchange {
  readonly response: { readonly status: number; readonly body: string };
}

function recorded(version: string, name: string): Exchange["response"] {
  const file = new URL(`../fixtures/recorded/${version}/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as Exchange).response;
}

describe("a refusal for length", () => {
  test("of 0.24.0 names no numbers", () => {
    for (const name of ["chat-context-error", "chat-context-error-nonstream", "generate-context-error"]) {
      const { status, body } = recorded("0.24.0", name);
      expect(contextRefusal(status, body)).toEqual({ promptTokens: null, windowTokens: null });
    }
  });

  test("of 0.34.0 tells the prompt's tokens and the window, in JSON inside a string", () => {
    for (const name of ["chat-context-error", "chat-context-error-nonstream", "generate-context-error"]) {
      const { status, body } = recorded("0.34.0", name);
      const refusal = contextRefusal(status, body);
      expect(refusal?.promptTokens).toBeGreaterThan(2_000);
      expect(refusal?.windowTokens).toBe(1_024);
    }
  });

  test("is no other error", () => {
    for (const version of ["0.24.0", "0.34.0"]) {
      for (const name of [
        "chat-unknown-model",
        "chat-bad-keep-alive",
        "chat-invalid-json",
        "chat-tools-unsupported",
      ]) {
        const { status, body } = recorded(version, name);
        expect(contextRefusal(status, body), name).toBeNull();
        expect(isOutOfMemory(status, body), name).toBe(false);
      }
    }
    expect(contextRefusal(200, "exceeds the available context size")).toBeNull();
  });
});

test.each([
  [500, '{"error":"model requires more system memory (8.0 GiB) than is available (4.0 GiB)"}'],
  [500, '{"error":"llama-server reported out-of-memory during startup: cudaMalloc failed"}'],
])("%i %s is out of memory", (status, body) => {
  expect(isOutOfMemory(status, body)).toBe(true);
  expect(upstreamError(status, body, "m").code).toBe("OUT_OF_MEMORY");
});

test.each([
  ["chat-unknown-model", "MODEL_NOT_FOUND"],
  ["chat-tools-unsupported", "CAPABILITY_MISSING"],
  ["chat-context-error", "CONTEXT_EXCEEDED"],
  ["chat-bad-keep-alive", "REQUEST_INVALID"],
  ["chat-invalid-json", "REQUEST_INVALID"],
])("%s is told as %s, by both versions", (name, code) => {
  for (const version of ["0.24.0", "0.34.0"]) {
    const { status, body } = recorded(version, name);
    const error = upstreamError(status, body, "qwen3:8b");
    expect([error.code, error.status, error.body]).toEqual([code, status, body]);
    expect(error.remedy).not.toBe("");
    // The server's words may quote the prompt: they stay out of what is logged.
    expect(error.message).not.toContain(body);
  }
});

test.each([
  String.raw`{"error":"option \"temperature\" must be of type float32"}`,
  String.raw`{"error":"invalid format: \"9\"; expected \"json\" or a valid JSON Schema object"}`,
])("500 %s is the request's fault", (body) => {
  expect(upstreamError(500, body, "m").code).toBe("REQUEST_INVALID");
});

test("an unreachable server is told without its credentials", () => {
  const error = unreachable("http://me:secret@box:11434", { code: "ECONNREFUSED" });
  expect(error.message).toContain("http://box:11434 (ECONNREFUSED)");
  expect(error.message).not.toContain("secret");
});
