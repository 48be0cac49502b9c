import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryStore } from "../../src/storage/memory.js";
import { storeOf } from "../../src/storage/storeOf.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "store-of-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a folder is opened once per process, however it is written", async () => {
  const store = storeOf(folder);
  expect(storeOf(relative(process.cwd(), folder))).toBe(store);
  expect(store.location).toBe(folder);
  await store.close();
});

test("after close() it is opened anew, with what was kept", async () => {
  const store = storeOf(folder);
  await store.merge("settings", { id: "a", value: 1 });
  await store.close();
  const again = storeOf(folder);
  await again.ready();
  expect(again).not.toBe(store);
  expect(again.get("settings", "a")?.value).toBe(1);
  await again.close();
});

test("a store is itself; false is the process's memory", async () => {
  const own = memoryStore();
  expect(storeOf(own)).toBe(own);
  expect(storeOf(false)).toBe(storeOf(false));
  expect(storeOf(false).abilities.durable).toBe(false);
  await Promise.all([own.close(), storeOf(false).close()]);
});

test.each([
  ["", /store is ""/],
  ["redis://me:secret@cache:6379", /address of a server.*redisStore\(client\)/],
  ["postgresql://db/app", /address of a server.*postgresStore\(client\)/],
  [5, /store is of type number/],
  [null, /store is null/],
  [{}, /store is of type object/],
  [true, /store is of type boolean/],
])("%o is refused", (option, message) => {
  expect(() => storeOf(option as never)).toThrow(message);
  expect(() => storeOf(option as never)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("a folder with something else in it is refused", async () => {
  await writeFile(join(folder, "thesis.txt"), "");
  expect(() => storeOf(folder)).toThrow(expect.objectContaining({ code: "STORE_FOLDER_FOREIGN" }));
});
