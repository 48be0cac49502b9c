import { expect, test, vi } from "vitest";
import { followRequests } from "../../src/monitor/followRequests.js";
import type { RequestRecord } from "../../src/records.js";
import { memoryStore } from "../../src/storage/memory.js";
import { temporaryFolders } from "../storage/temporaryFolder.js";
import { call } from "./calls.js";

const folders = temporaryFolders();

test("a call of this process is heard at once, and once", async () => {
  const store = memoryStore();
  const heard: string[] = [];
  const { stop } = followRequests(store, ({ id }) => heard.push(id), { startedAt: new Date().toISOString() });
  const request = call(Date.now());
  void store.append(request);

  expect(heard).toEqual([request.id]);
  void store.append(request);
  expect(heard).toHaveLength(1);
  stop();
  await store.close();
});

test("calls of another process on the same folder are heard within a look, oldest first", async () => {
  const folder = await folders.make();
  const own = folders.open(folder);
  const other = folders.open(folder);
  await other.append(call(Date.now() - 60_000, { id: "before" }));
  const heard: string[] = [];
  const startedAt = new Date().toISOString();
  const { stop } = followRequests(own, ({ id }) => heard.push(id), { startedAt, lookMs: 20 });
  await own.append(call(Date.now(), { id: "own" }));
  for (const id of ["one", "two", "three"]) await other.append(call(Date.now(), { id }));

  await vi.waitFor(() => expect(heard).toEqual(["own", "one", "two", "three"]), 10_000);
  stop();
});

test("calls of two processes that alternate are all heard, each once", async () => {
  const folder = await folders.make();
  const own = folders.open(folder);
  const other = folders.open(folder);
  const heard: string[] = [];
  const startedAt = new Date().toISOString();
  const { stop } = followRequests(own, ({ id }) => heard.push(id), { startedAt, lookMs: 20 });
  const ids = Array.from({ length: 10 }, (_, index) => `call ${index}`);
  for (const [index, id] of ids.entries()) await (index % 2 ? own : other).append(call(Date.now(), { id }));

  await vi.waitFor(() => expect([...heard].sort()).toEqual(ids), 10_000);
  stop();
});

test("a long call of another process is heard also where the log is in the order of beginnings", async () => {
  const store = memoryStore();
  const stored: RequestRecord[] = [];
  const server = Object.assign(Object.create(store), {
    abilities: { durable: true, sharedByProcesses: true, sharedByMachines: true },
    append: (request: RequestRecord) => Promise.resolve(void stored.push(request)),
    requests: async function* () {
      yield* stored.toSorted((a, b) => (a.at < b.at ? 1 : -1));
    },
  });
  const heard: string[] = [];
  const now = Date.now();
  const { stop } = followRequests(server, ({ id }) => heard.push(id), {
    startedAt: new Date(now).toISOString(),
    lookMs: 5,
  });
  for (let index = 0; index < 100; index++) void server.append(call(now + 1_000 + index));
  await vi.waitFor(() => expect(heard).toHaveLength(100), 5_000);
  stored.push(call(now + 1, { id: "long" }));

  await vi.waitFor(() => expect(heard.at(-1)).toBe("long"), 5_000);
  stop();
  await store.close();
});

test("a call that ends while a long log is read is heard once", async () => {
  const store = folders.open(await folders.make());
  const stored = Array.from({ length: 8_000 }, (_, index) => `stored ${index}`);
  for (const id of stored) void store.append(call(Date.now() - 60_000, { id }));
  await store.flush();
  const heard: string[] = [];
  const startedAt = new Date().toISOString();
  const { caughtUp, stop } = followRequests(store, ({ id }) => heard.push(id), {
    startedAt,
    since: "2020-01-01T00:00:00Z",
  });
  await store.append(call(Date.now(), { id: "own" }));
  await caughtUp;

  expect(heard.toSorted()).toEqual(["own", ...stored].toSorted());
  stop();
});

test("a store that cannot be read is followed all the same", async () => {
  const store = memoryStore();
  const heard: RequestRecord[] = [];
  store.requests = async function* () {
    yield* [];
    throw new Error("away");
  };
  const { caughtUp, stop } = followRequests(store, (request) => heard.push(request), {
    startedAt: new Date().toISOString(),
    since: "2020-01-01T00:00:00Z",
  });
  await caughtUp;
  await store.append(call(Date.now()));

  expect(heard).toHaveLength(1);
  stop();
  await store.close();
});
