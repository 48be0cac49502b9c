import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OptimizerError } from "../../src/errors.js";
import { openJsonStore } from "../../src/storage/json/openJsonStore.js";
import { memoryStore } from "../../src/storage/memory.js";
import { postgresStore } from "../../src/storage/postgres/postgresStore.js";
import { redisStore } from "../../src/storage/redis/redisStore.js";
import { temporaryFolders } from "./temporaryFolder.js";

const folders = temporaryFolders();

/** Never asked: options are looked at first. */
const client = {
  call: () => Promise.reject(new Error("asked")),
  query: () => Promise.reject(new Error("asked")),
};
const refusal = (name: string) =>
  expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(name) });
const thrownBy = (open: () => unknown): unknown => {
  try {
    open();
  } catch (error) {
    return error;
  }
  return undefined;
};

const NO_DURATION = [Number.NaN, -1, Number.POSITIVE_INFINITY, "500", null];

describe("a folder's store", () => {
  for (const value of NO_DURATION) {
    test.each(["pollMs", "foldMs", "retainMs", "settleMs", "compactBytes", "segmentBytes", "maxQueuedBytes"])(
      `refuses ${String(value)} as %s, before it makes anything`,
      async (name) => {
        const folder = join(await folders.make(), "store");
        expect(thrownBy(() => openJsonStore(folder, { [name]: value }))).toEqual(refusal(name));
        expect(existsSync(folder)).toBe(false);
      },
    );

    test.each(["days", "records", "bytes"])(`refuses ${String(value)} as retention.%s`, async (name) => {
      const folder = join(await folders.make(), "store");
      const open = () => openJsonStore(folder, { retention: { [name]: value } });
      expect(thrownBy(open)).toEqual(refusal(`retention.${name}`));
    });
  }

  test.each([null, undefined, 5, "", {}])("refuses %j as its folder", (folder) => {
    const error = thrownBy(() => openJsonStore(folder as never));
    expect(error).toBeInstanceOf(OptimizerError);
    expect(error).toEqual(refusal("folder"));
  });

  test.each([null, 5])("refuses %s as its options, and as its retention", async (value) => {
    const folder = join(await folders.make(), "store");
    expect(thrownBy(() => openJsonStore(folder, value as never))).toEqual(refusal("options"));
    expect(thrownBy(() => openJsonStore(folder, { retention: value as never }))).toEqual(
      refusal("retention"),
    );
  });

  test("takes what is whole, and nothing", async () => {
    const options = {
      pollMs: 50,
      foldMs: 0,
      retainMs: 1,
      retention: { days: 0, records: 10, bytes: undefined },
    };
    await expect(openJsonStore(await folders.make(), options).close()).resolves.toBeUndefined();
  });
});

describe("a server's store", () => {
  test.each(NO_DURATION)("refuses %s as time or number that is kept", (value) => {
    for (const name of ["pollMs", "retentionDays", "retentionRecords"]) {
      const options = { [name]: value } as never;
      expect(thrownBy(() => redisStore(client as never, options))).toEqual(refusal(name));
      expect(thrownBy(() => postgresStore(client as never, options))).toEqual(refusal(name));
    }
  });
});

test.each(NO_DURATION)("a store in memory refuses %s as well", (value) => {
  expect(thrownBy(() => memoryStore({ pollMs: value as number }))).toEqual(refusal("pollMs"));
  expect(thrownBy(() => memoryStore({ maxRequests: value as number }))).toEqual(refusal("maxRequests"));
});
