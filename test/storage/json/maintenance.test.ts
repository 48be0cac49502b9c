import { mkdir, readdir, readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { collect, request, rule, template } from "../../contract/records.ts";
import { temporaryFolders } from "../temporaryFolder.ts";

const folders = temporaryFolders();
const DAY = 24 * 60 * 60 * 1000;
const START = Date.UTC(2025, 0, 10);

describe("maintenance of a JSON store", () => {
  it("begins a new segment of the request log each day and when one is full", async () => {
    const folder = await folders.make();
    let now = START;
    const store = folders.open(folder, {
      segmentBytes: 2 * JSON.stringify(request("q0")).length,
      now: () => now,
    });
    for (let index = 0; index < 6; index++) await store.append(request(`q${index}`));
    now += DAY;
    await store.append(request("q6"));
    expect(await readdir(join(folder, "v1/requests"))).toEqual([
      "2025-01-10-00001.jsonl",
      "2025-01-10-00002.jsonl",
      "2025-01-10-00003.jsonl",
      "2025-01-11-00001.jsonl",
    ]);
    expect((await collect(store.requests())).map(({ id }) => id).join()).toBe("q0,q1,q2,q3,q4,q5,q6");
    expect((await collect(store.requests({ newestFirst: true }))).map(({ id }) => id).join()).toBe(
      "q6,q5,q4,q3,q2,q1,q0",
    );
  });

  it("keeps the order of requests when a program was idle while others began new segments", async () => {
    const folder = await folders.make();
    const [idle, busy] = [
      folders.open(folder, { segmentBytes: 2000 }),
      folders.open(folder, { segmentBytes: 2000 }),
    ];
    await idle.append(request("first"));
    for (let index = 0; index < 8; index++) await busy.append(request(`busy${index}`));
    await sleep(600);
    await idle.append(request("last"));
    const ids = (await collect(busy.requests())).map(({ id }) => id);
    expect([ids[0], ids.at(-1), ids.length]).toEqual(["first", "last", 10]);
  });

  it("keeps the order of requests when the clock jumps back", async () => {
    const folder = await folders.make();
    let now = START;
    const open = () => folders.open(folder, { now: () => now });
    const first = open();
    await first.append(request("q0"));
    now -= 30 * DAY;
    await first.append(request("q1"));
    await first.close();
    const second = open();
    await second.append(request("q2"));
    expect((await collect(second.requests())).map(({ id }) => id)).toEqual(["q0", "q1", "q2"]);
    expect(await readdir(join(folder, "v1/requests"))).toEqual(["2025-01-10-00001.jsonl"]);
  });

  it("goes on folding and removing when the clock jumps back", async () => {
    const folder = await folders.make();
    let jump = 0;
    const store = folders.open(folder, { now: () => Date.now() + jump, pollMs: 10, foldMs: 100 });
    await store.merge("rules", rule("before"));
    await vi.waitFor(() => readFile(join(folder, "v1/rules.json")), 10_000);
    jump = -300 * DAY;
    await store.merge("rules", rule("after"));
    await vi.waitFor(
      async () => expect(await readFile(join(folder, "v1/rules.json"), "utf8")).toContain("after"),
      10_000,
    );
  });

  it.each([
    ["days", { days: 2 }, ["q3", "q4", "q5"]],
    ["records", { records: 2 }, ["q3", "q4", "q5"]],
    ["bytes", { bytes: 2500 }, ["q3", "q4", "q5"]],
  ])(
    "removes old requests by %s, in the background, never the newest segment",
    async (_, retention, kept) => {
      const folder = await folders.make();
      let now = START;
      const store = folders.open(folder, { now: () => now, pollMs: 10, retainMs: 1, retention });
      for (let index = 0; index < 6; index++) {
        await store.append(request(`q${index}`));
        now += DAY;
      }
      now -= DAY;
      for (const name of await readdir(join(folder, "v1/requests"))) {
        await utimes(join(folder, "v1/requests", name), new Date(0), new Date(0));
      }
      now += 120_000;
      await vi.waitFor(
        async () => expect((await collect(store.requests())).map(({ id }) => id)).toEqual(kept),
        10_000,
      );
      await store.append(request("q6"));
      expect((await collect(store.requests())).at(-1)?.id).toBe("q6");
    },
  );

  it("removes nothing by age while a clock that may be years ahead has the only recent day", async () => {
    const folder = await folders.make();
    let now = START;
    const options = { now: () => now, pollMs: 10, retainMs: 1, retention: { days: 30 } };
    const store = folders.open(folder, options);
    for (let index = 0; index < 3; index++) {
      await store.append(request(`q${index}`));
      now += DAY;
    }
    const ids = async () => (await collect(store.requests())).map(({ id }) => id);
    now += 3_000 * DAY;
    await store.append(request("ahead"));
    for (const name of await readdir(join(folder, "v1/requests"))) {
      await utimes(join(folder, "v1/requests", name), new Date(0), new Date(0));
    }
    now += 120_000;
    await sleep(300);
    expect(await ids()).toEqual(["q0", "q1", "q2", "ahead"]);
    // The next day it is the clock indeed: the program was not used for long.
    now += DAY;
    await store.append(request("next day"));
    now += 120_000;
    await vi.waitFor(async () => expect(await ids()).toEqual(["ahead", "next day"]), 10_000);
  });

  it("folds templates into shards of about 1 MB, and the change log stays small", async () => {
    const folder = await folders.make();
    const options = { pollMs: 10, foldMs: 20, compactBytes: 300_000, settleMs: 300 };
    const [one, two] = [folders.open(folder, options), folders.open(folder, options)];
    const fingerprints = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`${64 * index}`, "0123456789abcdef".repeat(2)]),
    );
    for (let round = 0; round < 4; round++) {
      await Promise.all(
        [one, two].flatMap((store) =>
          Array.from({ length: 500 }, (_, index) =>
            store.merge("templates", { ...template(`t${index}`, round), fingerprints }),
          ),
        ),
      );
    }
    const changes = join(folder, "v1/changes");
    const sizeOf = async (path: string) => (await stat(path)).size;
    await vi.waitFor(async () => {
      void one.merge("rules", rule("tick"));
      const names = await readdir(changes);
      expect(names).not.toContain("00000001.jsonl");
      const sizes = await Promise.all(names.map((name) => sizeOf(join(changes, name))));
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2_000_000);
    }, 10_000);
    await Promise.all([one.close(), two.close()]);
    const shards = (await readdir(join(folder, "v1/templates"))).filter((name) => name !== "index.json");
    for (const name of shards) {
      expect(await sizeOf(join(folder, "v1/templates", name))).toBeLessThan(1.2 * 1024 * 1024);
    }
    const again = folders.open(folder);
    await again.ready();
    expect([...again.list("templates")]).toHaveLength(500);
    for (const { counts } of again.list("templates")) expect(counts.observations).toBe(8);
    expect(folders.warnings).toEqual([]);
  });

  it("reads everything anew after an absence during which the log was folded and removed", async () => {
    const folder = await folders.make();
    const away = folders.open(folder, { pollMs: 1_000_000 });
    await away.merge("rules", rule("r"));
    const busy = folders.open(folder, { pollMs: 5, foldMs: 10, compactBytes: 1, settleMs: 300 });
    await busy.remove("rules", "r");
    await busy.merge("rules", rule("other"));
    await vi.waitFor(async () => {
      void busy.merge("rules", rule("tick"));
      expect(await readdir(join(folder, "v1/changes"))).not.toContain("00000001.jsonl");
    }, 10_000);
    const real = Date.now;
    const hours = vi.spyOn(Date, "now").mockImplementation(() => real() + 3_600_000);
    try {
      await away.merge("rules", rule("mine"));
    } finally {
      hours.mockRestore();
    }
    expect(away.get("rules", "r")).toBeUndefined();
    expect(away.get("rules", "other")).toBeDefined();
    expect(away.get("rules", "mine")?.counts.total).toBe(1);
  });

  it("regains a lock left behind by a process that died", async () => {
    const folder = await folders.make();
    const store = folders.open(folder, { pollMs: 10, foldMs: 10 });
    await store.ready();
    await mkdir(join(folder, "lock"));
    const minuteAgo = new Date(Date.now() - 60_000);
    await utimes(join(folder, "lock"), minuteAgo, minuteAgo);
    await store.merge("rules", rule("r"));
    await vi.waitFor(() => readFile(join(folder, "v1/rules.json")), 10_000);
  });

  it("regains a lock from the future, left behind before the clock was put back", async () => {
    const folder = await folders.make();
    const store = folders.open(folder, { pollMs: 10, foldMs: 10 });
    await store.ready();
    await mkdir(join(folder, "lock"));
    const tomorrow = new Date(Date.now() + DAY);
    await utimes(join(folder, "lock"), tomorrow, tomorrow);
    await store.merge("rules", rule("r"));
    await vi.waitFor(() => readFile(join(folder, "v1/rules.json")), 10_000);
  });

  it("acknowledges writes while another process holds the lock, and folds later", async () => {
    const folder = await folders.make();
    const store = folders.open(folder);
    await store.ready();
    await mkdir(join(folder, "lock"));
    await store.merge("rules", rule("r"));
    await store.append(request("q"));
    await store.close();
    const again = folders.open(folder);
    await again.ready();
    expect(again.get("rules", "r")).toBeDefined();
  });
});
