/** The order of system calls, as the kernel saw it: synced before acknowledged, file and folder. */
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildChildren } from "../childProcess.ts";
import { temporaryFolders } from "../temporaryFolder.ts";

const folders = temporaryFolders();
const canTrace = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

interface Call {
  readonly name: string;
  readonly words: string;
  readonly result: string;
}

/** System calls in the order in which they ended, those that were interrupted in the trace put together. */
function parseTrace(text: string): Call[] {
  const begun = new Map<string, string>();
  return text.split("\n").flatMap((line) => {
    const [, thread = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.includes("<unfinished ...>")) {
      begun.set(thread, rest.replace(/\s*<unfinished \.\.\.>/, ""));
      return [];
    }
    const whole = rest.replace(/^<\.\.\. \w+ resumed>/, () => begun.get(thread) ?? "");
    const [, name, words, result] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(whole) ?? [];
    return name === undefined ? [] : [{ name, words: words ?? "", result: result ?? "" }];
  });
}

describe.skipIf(!canTrace)(canTrace ? "durability" : "durability (skipped: strace cannot run here)", () => {
  it("syncs a line, and the folder that holds its file, before the write is acknowledged", async () => {
    const folder = await folders.make();
    const children = buildChildren();
    const trace = join(folder, "trace");
    const store = join(folder, "store");
    try {
      const words = [
        "-f",
        "-y",
        "-s",
        "4096",
        "-e",
        "trace=write,pwrite64,writev,fsync,fdatasync,openat,rename",
      ];
      const { status, stderr } = spawnSync(
        "strace",
        [...words, "-o", trace, process.execPath, children.path("acknowledge"), store],
        { encoding: "utf8" },
      );
      expect(status, stderr).toBe(0);
    } finally {
      children.remove();
    }
    const calls = parseTrace(await readFile(trace, "utf8"));
    const find = (what: string, matches: (call: Call) => boolean, from = 0) => {
      const index = calls.findIndex((call, at) => at >= from && matches(call));
      expect(index, what).toBeGreaterThanOrEqual(0);
      return index;
    };
    for (let index = 0; index < 5; index++) {
      for (const what of [`REQUEST${index}`, `TEMPLATE${index}`, `RULE${index}`]) {
        const written = find(
          `${what} written`,
          (call) => call.words.includes(`\\"${what}\\"`) && call.words.includes(".jsonl>"),
        );
        const path = /<([^>]*\.jsonl)>/.exec(calls[written]?.words ?? "")?.[1] ?? "";
        const synced = find(
          `${what} synced`,
          ({ name, words }) => name === "fdatasync" && words.includes(`<${path}>`),
          written,
        );
        const acknowledged = find(`${what} acknowledged`, ({ words }) => words.includes(`ACK ${what}`));
        const made = find(
          "file made",
          ({ name, words }) => name === "openat" && words.includes(path) && words.includes("O_CREAT"),
        );
        const parent = path.slice(0, path.lastIndexOf("/"));
        const folderSynced = find(
          "folder synced",
          ({ name, words }) => name === "fsync" && words.includes(`<${parent}>`),
          made,
        );
        expect(synced, what).toBeLessThan(acknowledged);
        expect(folderSynced, what).toBeLessThan(acknowledged);
      }
    }
  });

  it("syncs a document file before it is renamed into place, and the folder after that", async () => {
    const folder = await folders.make();
    const children = buildChildren();
    const trace = join(folder, "trace");
    try {
      spawnSync("strace", [
        "-f",
        "-y",
        "-e",
        "trace=fsync,rename",
        "-o",
        trace,
        process.execPath,
        children.path("acknowledge"),
        join(folder, "store"),
      ]);
    } finally {
      children.remove();
    }
    const calls = parseTrace(await readFile(trace, "utf8"));
    const renames = calls.filter(({ name }) => name === "rename");
    expect(renames.length).toBeGreaterThanOrEqual(5);
    for (const call of renames) {
      const [, from = "", to = ""] = /"([^"]+)", "([^"]+)"/.exec(call.words) ?? [];
      const at = calls.indexOf(call);
      const fileSynced = calls.findIndex(
        ({ name, words }) => name === "fsync" && words.includes(`<${from}>`),
      );
      const folderSynced = calls.findIndex(
        ({ name, words }, index) =>
          index > at && name === "fsync" && words.includes(`<${to.slice(0, to.lastIndexOf("/"))}>`),
      );
      expect(fileSynced, to).toBeGreaterThanOrEqual(0);
      expect(fileSynced, to).toBeLessThan(at);
      expect(folderSynced, to).toBeGreaterThan(at);
    }
  });
});
