import { expect, test } from "vitest";
import { ollamaOrigin } from "../../src/cli/ollamaOrigin.js";

test.each([
  [":8080", "http://127.0.0.1:8080"],
  ["[::]:8080", "http://[::1]:8080"],
  ["[::1]", "http://[::1]:11434"],
  ['"127.0.0.1:8080"', "http://127.0.0.1:8080"],
  [" box ", "http://box:11434"],
  ["https://box/ollama/", "https://box/ollama"],
])("OLLAMA_HOST=%s is %s, as Ollama reads it", (value, origin) => {
  expect(ollamaOrigin(value)).toBe(origin);
});

test.each(["http://[", "a b", ":nine"])("%j is no address", (value) => {
  expect(() => ollamaOrigin(value)).toThrow(/no address of an Ollama server/);
});
