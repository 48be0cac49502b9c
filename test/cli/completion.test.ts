import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { run } from "../../src/cli/completion.js";

async function script(shell: string): Promise<string> {
  let out = "";
  const print = { write: (text: string) => (out += text) };
  const surroundings = { environment: {}, out: print, err: print, signal: new AbortController().signal };
  expect(await run([shell], surroundings)).toBe(0);
  return out;
}

/** What bash would offer behind these words. */
async function offered(words: readonly string[]): Promise<string[]> {
  const line = words.map((word) => JSON.stringify(word)).join(" ");
  const test = `${await script("bash")}
COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}
_langchain_ollama_optimizer; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", test], { encoding: "utf8" }).trim().split("\n");
}

test("bash completes commands", async () => {
  expect(await offered(["langchain-ollama-optimizer", "cal"])).toEqual(["calibrate"]);
  expect(await offered(["langchain-ollama-optimizer", ""])).toContain("doctor");
});

test("bash completes the flags of the command", async () => {
  expect(await offered(["langchain-ollama-optimizer", "serve", "--po"])).toEqual(["--port"]);
  expect(await offered(["langchain-ollama-optimizer", "doctor", "--"])).toEqual(
    expect.arrayContaining(["--json", "--watch", "--help"]),
  );
});

test.each(["zsh", "fish"])("%s gets every command with its flags", async (shell) => {
  const text = await script(shell);
  for (const word of ["serve", "doctor", "calibrate", "demo"]) expect(text).toContain(word);
  expect(text).toMatch(shell === "fish" ? / -l port -r / : /serve\) compadd -- .*--port/);
});

test("a shell that is not known is refused by name", async () => {
  await expect(script("tcsh")).rejects.toThrow(/no completion for "tcsh".*bash, zsh, fish/);
  await expect(script("")).rejects.toThrow(/No shell was named/);
});

test("words that a command takes are completed too, each at its place", async () => {
  const program = "langchain-ollama-optimizer";
  expect(await offered([program, "help", "cal"])).toEqual(["calibrate"]);
  expect(await offered([program, "completion", "f"])).toEqual(["fish"]);
  expect(await offered([program, "inspect", "req"])).toEqual(["requests"]);
  expect(await offered([program, "inspect", "pin", "ceil"])).toEqual(["ceiling"]);
  expect(await offered([program, "version", ""])).toEqual(["--help"]);
});
