import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { ChangeLog } from "../../../src/storage/json/changeLog.ts";
import { temporaryFolders } from "../temporaryFolder.ts";

const folders = temporaryFolders();
afterEach(() => {
  vi.restoreAllMocks();
});

it("takes no other process's lines of the same length for its own", async () => {
  const folder = await folders.make();
  const [mine, theirs] = [1, 2].map(() => new ChangeLog(folder, 30_000, () => {}));
  const seen: unknown[] = [];
  const read = () => mine!.read(({ value }) => seen.push(value));
  await mine!.append(['"first"'], () => seen.push("first"));
  await read();
  // While the line is synced, the store looks for others' changes, and another process appends.
  const handle = await open(join(folder, "00000001.jsonl"), "r");
  const methods = Object.getPrototypeOf(handle) as { datasync(): Promise<void> };
  await handle.close();
  const sync = methods.datasync;
  vi.spyOn(methods, "datasync").mockImplementationOnce(async function (this: unknown) {
    await read();
    await theirs!.append(['"their"'], () => {});
    return sync.call(this as never);
  });
  await mine!.append(['"mine!"'], () => seen.push("mine!"));
  await read();
  expect(seen).toEqual(["first", "mine!", "their"]);
  await Promise.all([mine!.close(), theirs!.close()]);
});
