import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { openAppendLog, splitLines } from "../../../src/storage/json/appendLog.ts";
import { temporaryFolders } from "../temporaryFolder.ts";

const folders = temporaryFolders();
afterEach(() => {
  vi.restoreAllMocks();
});

it("keeps every line whole when a write is cut short and another process appends before the rest", async () => {
  const path = join(await folders.make(), "log.jsonl");
  const [one, other] = [await openAppendLog(path), await openAppendLog(path)];
  // A disk that is full for a moment cuts a write short; none does so on demand.
  const handle = await open(path, "r");
  const methods = Object.getPrototypeOf(handle) as {
    write(bytes: Buffer, start: number, length: number): unknown;
  };
  await handle.close();
  const write = methods.write;
  vi.spyOn(methods, "write").mockImplementationOnce(async function (this: unknown, bytes) {
    const result = await write.call(this, bytes, 0, bytes.length - 4);
    await other.append(['{"id":"other"}']);
    return result;
  });
  const lines = ['{"id":"first"}', '{"id":"second"}'];
  while (lines.length > 0) lines.splice(0, (await one.append(lines)).stored);
  await Promise.all([one.close(), other.close()]);
  const texts = [...splitLines(await readFile(path))].map(({ text }) => text);
  expect(texts).toEqual(['{"id":"first"}', '{"id":"seco', '{"id":"other"}', '{"id":"second"}']);
});
