import { describe, expect, test } from "vitest";
import { OptimizedChatOllama } from "../../src/chatModel/optimizedChatOllama.js";
import { OptimizedOllama } from "../../src/chatModel/optimizedOllama.js";
import { checkOptions } from "../../src/chatModel/options.js";
import { memoryStore } from "../../src/storage/memory.js";

const BAD: readonly [string, unknown, RegExp][] = [
  ["numCtx", 0, /numCtx is 0/],
  ["numCtx", -1, /numCtx is -1/],
  ["numCtx", Number.NaN, /numCtx is NaN/],
  ["numCtx", Number.POSITIVE_INFINITY, /numCtx is Infinity/],
  ["numCtx", 2048.5, /numCtx is 2048.5/],
  ["numCtx", "4096", /numCtx is "4096"/],
  ["numCtx", null, /numCtx is null/],
  ["numBatch", 0, /numBatch is 0/],
  ["numBatch", "512", /numBatch is "512"/],
  ["numPredict", "8", /numPredict is "8"/],
  ["numPredict", Number.NaN, /numPredict is NaN/],
  ["logger", "x", /logger is "x"/],
  ["logger", {}, /logger is an object/],
  ["keepAlive", "", /keepAlive is ""/],
  ["keepAlive", Number.NaN, /keepAlive is NaN/],
  ["keepAlive", true, /keepAlive is true/],
  ["think", "yes", /think is "yes"/],
  ["optimize", "sometimes", /optimize is "sometimes"/],
  ["onOverflow", "ignore", /onOverflow is "ignore"/],
  ["storeText", "no", /storeText is "no"/],
  ["redact", "all", /redact is "all"/],
  ["model", "", /model is ""/],
  ["baseUrl", "not an address", /baseUrl is "not an address"/],
  ["baseUrl", 42, /baseUrl is 42/],
  ["headers", 5, /headers is 5/],
  ["headers", { "no name": "x" }, /headers is an object/],
];

describe.each(BAD)("%s: %s", (name, value, message) => {
  test.each([OptimizedChatOllama, OptimizedOllama])("is refused by the constructor of %s", (Model) => {
    const create = () => new Model({ model: "tiny", store: memoryStore(), [name]: value });
    expect(create).toThrow(message);
    expect(create).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });
});

test("tuning options are checked too", () => {
  expect(() => new OptimizedChatOllama({ store: memoryStore(), optimizer: { bufferMultiplier: 9 } })).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID" }),
  );
});

test("what Ollama takes is accepted", () => {
  checkOptions({
    numCtx: 8192,
    numBatch: 1,
    numPredict: -1,
    logger: console,
    keepAlive: -1,
    think: "high",
    optimize: "command",
    onOverflow: "cut",
  });
  checkOptions({ keepAlive: "1h30m", think: false, optimize: false, numCtx: undefined, temperature: 0 });
});

test("a signal that is none is refused before the call", () => {
  expect(() => checkOptions({ signal: 5 })).toThrow(/signal is 5/);
  checkOptions({ signal: AbortSignal.timeout(1), headers: new Headers({ a: "b" }) });
});

test("a long value is not quoted at length", () => {
  expect(() => checkOptions({ think: "x".repeat(10_000) })).toThrow(/^.{0,120}$/);
});
