import { readdir } from "node:fs/promises";
import { expect, it } from "vitest";
import { readShardIndex, readShards, writeShards } from "../../../src/storage/json/templateShards.ts";
import { temporaryFolders } from "../temporaryFolder.ts";

const folders = temporaryFolders();
const context = { logger: { warn: () => {} }, now: Date.now, isLogWhole: async () => false };

/** A megabyte a shard. */
function documents(megabytes: number, value: string): [string, string][] {
  return Array.from({ length: megabytes * 4 }, (_, index): [string, string] => [
    `t${index}`,
    JSON.stringify({
      id: `t${index}`,
      createdAt: "",
      updatedAt: "",
      counts: {},
      value,
      fill: "x".repeat(2 ** 18),
    }),
  ]);
}

it("keeps the snapshot of one writer when another, that was stopped and lost the lock, goes on", async () => {
  const folder = await folders.make();
  const position = (bytes: number) => ({
    schemaVersion: 1,
    through: { "00000001.jsonl": bytes },
    folded: {},
  });
  await writeShards(folder, null, position(50), documents(1, "first"));
  const first = await readShardIndex(folder, context);
  const slow = writeShards(folder, first, position(100), documents(12, "slow"));
  expect(await writeShards(folder, first, position(200), documents(2, "quick"))).toBe(true);
  expect(await slow).toBe(false);
  const index = await readShardIndex(folder, context);
  expect(index?.through).toEqual({ "00000001.jsonl": 200 });
  const values: unknown[] = [];
  const put = (_: string, text: string) => values.push((JSON.parse(text) as { value: string }).value);
  expect(await readShards(folder, index!, put, context)).toBe("whole");
  expect(values).toEqual(Array.from({ length: 8 }, () => "quick"));
  expect(await readdir(folder)).toHaveLength(index!.shards.length + 1);
});
