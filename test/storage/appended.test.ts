import { expect, test } from "vitest";
import { onAppend } from "../../src/storage/appended.js";
import { memoryStore } from "../../src/storage/memory.js";
import { request } from "../contract/records.js";

test("every listener hears a request until it leaves, and the request is stored", async () => {
  const store = memoryStore();
  const heard: string[] = [];
  const stop = onAppend(store, ({ id }) => heard.push(`first ${id}`));
  onAppend(store, ({ id }) => heard.push(`second ${id}`));
  await store.append(request("a"));
  stop();
  await store.append(request("b"));

  expect(heard).toEqual(["first a", "second a", "second b"]);
  const stored: string[] = [];
  for await (const { id } of store.requests()) stored.push(id);
  expect(stored).toEqual(["a", "b"]);
  await store.close();
});

test("a listener that throws fails no call and silences no other listener", async () => {
  const store = memoryStore();
  let heard = 0;
  onAppend(store, () => {
    throw new Error("broken");
  });
  onAppend(store, () => heard++);

  await expect(store.append(request("a"))).resolves.toBeUndefined();
  expect(heard).toBe(1);
  await store.close();
});
