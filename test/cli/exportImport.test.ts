import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import { NOT_INSTALLED, postgresUrl, redisUrl } from "../contract/servers.js";
import { canMountTmpfs, mountTmpfs, unmount } from "../storage/tmpfs.js";
import { commandLine } from "./commandLine.js";
import { requestAt } from "./requestAt.js";

let folder: string;
const at = (name: string): string => join(folder, name);
const exporting = (...args: string[]) => commandLine(["export", "--store", at("from"), ...args]);
const importing = (...args: string[]) => commandLine(["import", "--store", at("to"), ...args]);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "transfer-"));
  const store = openJsonStore(at("from"));
  await Promise.all(Array.from({ length: 1200 }, (_, index) => store.append(requestAt(index * 1000))));
  await store.merge("profiles", { id: "s b", models: ["tiny"], counts: { calls: 7 } });
  await store.close();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function contents(name: string): Promise<{ requests: number; calls: number | undefined }> {
  const store = openJsonStore(at(name));
  await store.ready();
  let requests = 0;
  for await (const _ of store.requests()) requests++;
  const calls = store.get("profiles", "s b")?.counts.calls;
  await store.close();
  return { requests, calls };
}

test.each(["all.jsonl", "all.jsonl.gz"])("what is exported to %s is imported whole, once", async (name) => {
  expect(await exporting(at(name))).toMatchObject({
    code: 0,
    out: `1,200 requests and 1 documents are in ${at(name)}.\n`,
  });
  expect(await importing(at(name), "--json")).toMatchObject({
    code: 0,
    out: '{"requests":1200,"documents":1}\n',
  });
  expect(await contents("to")).toEqual({ requests: 1200, calls: 7 });
  const again = await importing(at(name));
  expect(again.code).toBe(1);
  expect(again.err).toMatch(/STORE_ALREADY_IMPORTED/);
  expect(await contents("to")).toEqual({ requests: 1200, calls: 7 });
});

test("a name that ends in .gz is compressed, and the end is what is uncompressed elsewhere", async () => {
  await exporting(at("a.gz"));
  await exporting(at("a"));
  const lines = (text: string) => text.trimEnd().split("\n").slice(1);
  expect(lines(gunzipSync(readFileSync(at("a.gz"))).toString())).toEqual(
    lines(readFileSync(at("a"), "utf8")),
  );
});

test("through pipes it goes as well, and the standard output holds nothing else", async () => {
  const { out, err } = await exporting();
  expect(err).toContain("1,200 requests and 1 documents.\n");
  expect(out.trimEnd().split("\n")).toHaveLength(1203);
  const input = Object.assign(Readable.from([Buffer.from(out.slice(0, 1)), Buffer.from(out.slice(1))]));
  expect(await commandLine(["import", "-", "--store", at("to")], { input })).toMatchObject({ code: 0 });
  expect(await contents("to")).toEqual({ requests: 1200, calls: 7 });
});

test("a file that is there stays, unless it is forced", async () => {
  writeFileSync(at("mine"), "mine");
  expect((await exporting(at("mine"))).err).toMatch(/FILE_EXISTS/);
  expect(readFileSync(at("mine"), "utf8")).toBe("mine");
  expect((await exporting(at("mine"), "--force", "--json")).out).toBe(
    `${JSON.stringify({ file: at("mine"), requests: 1200, documents: 1 })}\n`,
  );
});

test("prompts and replies that a store has come along", async () => {
  const text = { prompt: "Why is the sky blue?", reply: "Rayleigh." };
  const from = openJsonStore(at("from"), { storeText: true });
  await from.append({ ...requestAt(0), id: "told", text });
  await from.close();
  await exporting(at("all"));
  await importing(at("all"));
  const to = openJsonStore(at("to"));
  const told = [];
  for await (const request of to.requests()) if (request.text) told.push(request.text);
  expect(told).toEqual([text]);
  await to.close();
});

test("a file that cannot be written is told in words, and so is a store that cannot be read", async () => {
  writeFileSync(at("file"), "");
  expect((await exporting(at("file/all"))).err).toMatch(
    /^FILE_NOT_WRITTEN: .*all cannot be written: its folder is none/m,
  );
  mkdirSync(at("from/v1/requests/2100-01-01-00001.jsonl"));
  expect((await exporting(at("all"))).err).toMatch(/^STORE_READ_FAILED: .*2100-01-01-00001.jsonl/m);
  expect(readdirSync(folder).sort()).toEqual(["file", "from"]);
});

test.skipIf(!canMountTmpfs())("on a full disk nothing is left behind, and the reason is told", async () => {
  mkdirSync(at("disk"));
  mountTmpfs(at("disk"));
  try {
    writeFileSync(at("disk/ballast"), Buffer.alloc(900_000));
    expect((await exporting(at("disk/all"))).err).toMatch(
      /^FILE_NOT_WRITTEN: .*all cannot be written: the disk is full/m,
    );
    expect(readdirSync(at("disk"))).toEqual(["ballast"]);
  } finally {
    unmount(at("disk"));
  }
});

test("Ctrl-C in the middle of an export leaves neither a file nor half of one", async () => {
  const stop = new AbortController();
  const err = {
    write: (text: string) => void (text.includes("1,000 requests") && stop.abort()),
    isTTY: true,
  };
  const { code } = await commandLine(["export", at("all.gz"), "--store", at("from")], {
    signal: stop.signal,
    err,
  });
  expect(code).toBe(130);
  expect(stop.signal.aborted).toBe(true);
  expect(readdirSync(folder)).toEqual(["from"]);
});

test("Ctrl-C in the middle of an import keeps whole requests, and it can be begun again", async () => {
  await exporting(at("all"));
  const stop = new AbortController();
  const err = { write: (text: string) => void (text.includes("500 requests") && stop.abort()), isTTY: true };
  const { code } = await commandLine(["import", at("all"), "--store", at("to")], {
    signal: stop.signal,
    err,
  });
  expect(code).toBe(130);
  const half = await contents("to");
  expect(half.calls).toBeUndefined();
  expect(half.requests).toBeGreaterThanOrEqual(500);
  expect(half.requests).toBeLessThan(1200);
  expect((await importing(at("all"))).code).toBe(0);
  expect(await contents("to")).toEqual({ requests: 1200, calls: 7 });
});

test("what is no export is refused by what is wrong with it", async () => {
  writeFileSync(at("text"), "hello\n");
  writeFileSync(at("empty"), "");
  await exporting(at("cut.gz"));
  truncateSync(at("cut.gz"), 5000);
  const errors = async (file: string) => (await importing(file)).err;
  expect(await errors(at("text"))).toMatch(/^STORE_EXPORT_DAMAGED: .*line 1 is not JSON/);
  expect(await errors(at("empty"))).toMatch(/^STORE_EXPORT_DAMAGED/m);
  expect(await errors(at("cut.gz"))).toMatch(/FILE_UNREADABLE: .*ends too early/);
  expect(await errors(at("none"))).toMatch(/FILE_UNREADABLE: .*does not exist/);
  expect(await errors(folder)).toMatch(/FILE_UNREADABLE: .*is a folder/);
});

test("what is there but cannot be opened is told in words, though the store is opened meanwhile", async () => {
  const server = createServer().listen(at("socket"));
  await once(server, "listening");
  expect(await importing(at("socket"))).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^FILE_UNREADABLE: .*it is no file/),
  });
  server.close();
});

test("called in a way it cannot be", async () => {
  expect(await importing()).toMatchObject({ code: 2, err: expect.stringMatching(/No file was named/) });
  expect(await importing("-")).toMatchObject({ code: 2, err: expect.stringMatching(/Nothing is piped in/) });
  const input = Object.assign(new PassThrough(), { isTTY: true });
  expect((await commandLine(["import", "-", "--store", at("to")], { input })).code).toBe(2);
  expect(await exporting("a", "b")).toMatchObject({ code: 2, err: expect.stringMatching(/"b" is too much/) });
});

test("an empty store exports and imports as one", async () => {
  const { code, out } = await commandLine(["export", at("nothing"), "--store", at("none"), "--json"]);
  expect([code, JSON.parse(out)]).toEqual([0, { file: at("nothing"), requests: 0, documents: 0 }]);
  expect((await importing(at("nothing"))).code).toBe(0);
});

describe.each([
  ["redis", await redisUrl()],
  ["postgres", await postgresUrl()],
] as const)("%s", (name, url) => {
  test.skipIf(url === null)(
    `takes a store and gives it back ${url === null ? NOT_INSTALLED : ""}`,
    async () => {
      await exporting(at("there"));
      const server = ["--store", url!, "--prefix", `cli_${name}_${process.pid}_`];
      expect(await commandLine(["import", at("there"), ...server])).toMatchObject({ code: 0 });
      expect((await commandLine(["inspect", "profiles", ...server])).out).toMatch(/tiny +7 /);
      expect(await commandLine(["export", at("back"), ...server])).toMatchObject({ code: 0 });
      expect(await importing(at("back"))).toMatchObject({ code: 0 });
      expect(await contents("to")).toEqual({ requests: 1200, calls: 7 });
    },
    60_000,
  );
});
