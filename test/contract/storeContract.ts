/** What every driver must do. Each driver's test runs this on the real thing. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RuleRecord } from "../../src/records.ts";
import type { StoreOptions } from "../../src/storage/queuedStore.ts";
import type { Change, OptimizerStore } from "../../src/storage/store.ts";
import { collect, request, rule, template, time } from "./records.ts";

export interface StoreDriver {
  /** A new, empty place to store things. */
  setUp(): Promise<StorePlace>;
}

export interface StorePlace {
  /** Opens a store there; every call stands for another process. */
  open(options?: StoreOptions): OptimizerStore;
  tearDown(): Promise<void>;
}

export function describeStoreContract(name: string, driver: StoreDriver): void {
  describe(`${name} keeps the store contract`, () => {
    let place: StorePlace;
    const opened: OptimizerStore[] = [];
    const open = (options?: StoreOptions) => {
      const store = place.open(options);
      opened.push(store);
      return store;
    };

    beforeEach(async () => {
      place = await driver.setUp();
    });
    afterEach(async () => {
      await Promise.allSettled(opened.splice(0).map((store) => store.close()));
      await place.tearDown();
    });

    it("answers at once, empty, before it is ready", () => {
      const store = open();
      expect(store.get("templates", "t")).toBeUndefined();
      expect([...store.list("templates")]).toEqual([]);
    });

    it("shows a merge at once and creates what is missing", async () => {
      const store = open({ now: () => Date.parse(time(5)) });
      const stored = store.merge("rules", rule("r"));
      expect(store.get("rules", "r")).toMatchObject({
        id: "r",
        schemaVersion: 1,
        createdAt: time(5),
        updatedAt: time(5),
        counts: { success: 1, total: 1 },
      });
      await stored;
      expect(store.get("rules", "r")).toMatchObject({ state: "trial", counts: { success: 1, total: 1 } });
    });

    it("adds counts, replaces other fields by the later time, keeps absent ones and the earliest creation", async () => {
      const store = open();
      await store.merge("templates", template("t", 10));
      await store.merge("templates", {
        id: "t",
        updatedAt: time(20),
        workingWindow: 64,
        counts: { observations: 2, promptTokens: { "120": 1, "125": 1 } },
      });
      await store.merge("templates", { id: "t", createdAt: time(1), updatedAt: time(30) });
      expect(store.get("templates", "t")).toMatchObject({
        createdAt: time(1),
        updatedAt: time(30),
        workingWindow: 64,
        fingerprints: { "64": "a3f1c0de00112233445566778899aabb" },
        counts: { observations: 3, distanceSum: 3, promptTokens: { "120": 2, "125": 1 } },
      });
    });

    it("adds lists of counts element by element, the longer one deciding the length", async () => {
      const store = open();
      const counts = (votes: number[]) => ({ counts: { votes, nested: { empty: [] } } }) as object;
      await store.merge("rules", { ...rule("r"), ...counts([1, -1]) });
      await store.merge("rules", { id: "r", ...counts([0.5, 0, 7]) });
      await store.merge("rules", { id: "r", ...counts([]) });
      expect(store.get("rules", "r")?.counts).toEqual({ votes: [1.5, -1, 7], nested: { empty: [] } });
    });

    it("does not let a clock that was put back undo what this process has seen", async () => {
      const store = open();
      await store.merge("settings", { id: "s", value: "first", updatedAt: time(100) });
      await store.merge("settings", { id: "s", value: "second", updatedAt: time(50) });
      expect(store.get("settings", "s")).toMatchObject({ value: "second", updatedAt: time(100) });
    });

    it("is not changed by what the caller does to its own objects afterwards", async () => {
      const store = open();
      const value = { nested: [1] };
      const stored = store.merge("settings", { id: "s", value });
      value.nested.push(2);
      await stored;
      expect(store.get("settings", "s")?.value).toEqual({ nested: [1] });
    });

    it("removes a document, and makes it anew afterwards", async () => {
      const store = open();
      await store.merge("rules", rule("r", { id: "r", counts: { success: 5, total: 9 } }));
      const removed = store.remove("rules", "r");
      expect(store.get("rules", "r")).toBeUndefined();
      await removed;
      expect([...store.list("rules")]).toEqual([]);
      await store.merge("rules", rule("r"));
      expect(store.get("rules", "r")?.counts).toEqual({ success: 1, total: 1 });
    });

    it("lists each document once, written or still waiting", async () => {
      const store = open();
      await store.merge("rules", rule("a"));
      const waiting = [store.merge("rules", rule("a")), store.merge("rules", rule("b"))];
      expect([...store.list("rules")].map(({ id }) => id).sort()).toEqual(["a", "b"]);
      await Promise.all(waiting);
      expect([...store.list("rules")].map(({ id }) => id).sort()).toEqual(["a", "b"]);
    });

    it("creates a document only when there is none", async () => {
      const store = open();
      expect((await store.create("settings", { id: "key", value: "first" })).value).toBe("first");
      expect((await store.create("settings", { id: "key", value: "second" })).value).toBe("first");
      expect(store.get("settings", "key")?.value).toBe("first");
    });

    it("refuses a count that is not finite and an empty id", async () => {
      const store = open();
      await expect(store.merge("rules", { id: "r", counts: { total: Number.NaN } })).rejects.toMatchObject({
        code: "STORE_CHANGE_INVALID",
      });
      await expect(store.merge("rules", { id: "" })).rejects.toMatchObject({ code: "STORE_CHANGE_INVALID" });
      expect(store.get("rules", "r")).toBeUndefined();
    });

    it("refuses at once what no server could take, and stores what comes after it", async () => {
      const store = open();
      await store.ready();
      const changes: object[] = [
        { ...rule("r"), "a\0": 1 },
        { ...rule("r"), "\ud83d": 1 },
        { id: "r", updatedAt: "2026\0" },
        { id: "r", createdAt: 5 },
        { id: "r", counts: { success: "1" } },
        { id: "r", counts: { success: null } },
        { id: "r", counts: { success: [1, Number.NaN] } },
      ];
      for (const change of changes) {
        await expect(store.merge("rules", change as Change<RuleRecord>)).rejects.toMatchObject({
          code: "STORE_CHANGE_INVALID",
        });
      }
      const requests: object[] = [
        { id: "" },
        { id: "q\0" },
        { id: "q\ud83d" },
        { at: undefined },
        { at: "soon" },
        { at: "+275000-01-01T00:00:00.000Z" },
        { at: "0000-01-01T00:00:00.000Z" },
        { at: "9999-12-31T23:59:59-01:00" },
        { model: undefined },
      ];
      for (const fields of requests) {
        await expect(store.append(request("q", fields))).rejects.toMatchObject({
          code: "STORE_REQUEST_INVALID",
        });
      }
      for (const id of ["", "r\0", "r\ud83d", "r".repeat(513)]) {
        await expect(store.remove("rules", id)).rejects.toMatchObject({ code: "STORE_CHANGE_INVALID" });
      }
      await Promise.all([store.merge("rules", rule("good")), store.append(request("good"))]);
      expect([...store.list("rules")].map(({ id }) => id)).toEqual(["good"]);
      expect((await collect(store.requests())).map(({ id }) => id)).toEqual(["good"]);
    });

    it("lets a caller ignore every refusal", async () => {
      const store = open();
      const unhandled: unknown[] = [];
      const listener = (error: unknown) => unhandled.push(error);
      process.on("unhandledRejection", listener);
      void store.merge("rules", { id: "" });
      void store.create("rules", { id: "" });
      void store.append(request(""));
      void store.append(request("q", { tags: [1n] as unknown as string[] }));
      await new Promise((resolve) => setTimeout(resolve, 20));
      process.off("unhandledRejection", listener);
      expect(unhandled).toEqual([]);
    });

    it("reads by moments, however their texts are written", async () => {
      const store = open();
      for (const [index, at] of [
        "2026-01-01T00:00:00.500Z",
        "2026-01-01T02:00:01+02:00",
        "2026-01-01T00:00:01.500Z",
      ].entries()) {
        await store.append(request(`q${index}`, { at }));
      }
      const ids = async (query: Parameters<OptimizerStore["requests"]>[0]) =>
        (await collect(store.requests(query))).map(({ id }) => id).join(" ");
      expect(await ids({ since: "2026-01-01T00:00:00Z", until: "2026-01-01T00:00:01Z" })).toBe("q0");
      expect(await ids({ since: "2025-12-31T23:00:01-01:00" })).toBe("q1 q2");
      expect(await ids({ until: "2026-01-02" })).toBe("q0 q1 q2");
      expect(() => store.requests({ since: "yesterday" })).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID" }),
      );
    });

    it("takes names of models that no model has", async () => {
      const store = open();
      const model = "half \ud83d of a sign, and a NUL \0";
      await store.append(request("q", { model, templateId: model }));
      expect(await collect(store.requests({ model, templateId: model }))).toEqual([
        request("q", { model, templateId: model }),
      ]);
    });

    it("takes a request again that it once had no room for", async () => {
      const store = open({ maxQueuedBytes: 1000 });
      const first = store.append(request("first"));
      await expect(store.append(request("second"))).rejects.toMatchObject({ code: "STORE_QUEUE_FULL" });
      await first;
      await store.append(request("second"));
      expect((await collect(store.requests())).map(({ id }) => id)).toEqual(["first", "second"]);
    });

    it("appends requests in order and reads them by every criterion", async () => {
      const store = open();
      for (let index = 0; index < 6; index++) {
        await store.append(
          request(`q${index}`, {
            at: time(index * 60),
            model: index % 2 === 0 ? "a" : "b",
            templateId: index < 3 ? "t1" : "t2",
          }),
        );
      }
      const ids = async (query?: Parameters<OptimizerStore["requests"]>[0]) =>
        (await collect(store.requests(query))).map(({ id }) => id).join(" ");
      expect(await ids()).toBe("q0 q1 q2 q3 q4 q5");
      expect(await ids({ newestFirst: true, limit: 2 })).toBe("q5 q4");
      expect(await ids({ since: time(60), until: time(180) })).toBe("q1 q2");
      expect(await ids({ model: "b", limit: 2 })).toBe("q1 q3");
      expect(await ids({ templateId: "t2", model: "a" })).toBe("q4");
      expect(await ids({ limit: 0 })).toBe("");
    });

    it("gives a request back as it was", async () => {
      const store = open();
      const written = request("q", { tags: ["a", "ü\u2028"], totalMs: 0.1 + 0.2, doneReason: 'a "quote"\n' });
      await store.append(written);
      expect(await collect(store.requests())).toEqual([written]);
    });

    it("appends a request with a known id once", async () => {
      const store = open();
      await Promise.all([store.append(request("q")), store.append(request("q"))]);
      await store.append(request("q"));
      expect(await collect(store.requests())).toHaveLength(1);
    });

    it("stores no text unless asked, and then what the hooks leave of it", async () => {
      const text = { prompt: "I am Ann", reply: "Hello Ann" };
      const plain = open();
      await plain.append(request("q1", { text }));
      const withText = open({
        storeText: true,
        redact: [(value) => value.replace("Ann", "X"), (value) => `${value}!`],
      });
      await withText.append(request("q2", { text }));
      expect((await collect(plain.requests()))[0]).not.toHaveProperty("text");
      const [newest] = await collect(withText.requests({ newestFirst: true, limit: 1 }));
      expect(newest?.text).toEqual({ prompt: "I am X!", reply: "Hello X!" });
    });

    it("stores no text when a hook fails, and says so without quoting it", async () => {
      const warn = vi.fn();
      const redact = () => {
        throw new TypeError("cannot redact: I am Ann");
      };
      const store = open({ storeText: true, redact: [redact], logger: { warn } });
      await store.append(request("q", { text: { prompt: "I am Ann", reply: "" } }));
      expect((await collect(store.requests()))[0]).not.toHaveProperty("text");
      expect(warn).toHaveBeenCalledOnce();
      expect(warn.mock.calls[0]?.[0]).not.toContain("Ann");
    });

    it("keeps __proto__, quotes and other odd names as data", async () => {
      const store = open();
      const ids = ["__proto__", "constructor", 'a"b\\c', "a\nb", "ä:{}", "日本"];
      for (const id of ids) {
        const odd = JSON.parse('{"__proto__": {"polluted": true}, "a": [], "b": {}}');
        await store.merge("settings", { id, value: odd });
        await store.merge("rules", rule(id, JSON.parse('{"counts": {"__proto__": 2, "success": 1}}')));
        await store.merge("rules", { id, counts: JSON.parse('{"__proto__": 3}') });
      }
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
      for (const id of ids) {
        expect(JSON.stringify(store.get("settings", id)?.value)).toBe(
          '{"__proto__":{"polluted":true},"a":[],"b":{}}',
        );
        const counts = store.get("rules", id)?.counts ?? {};
        expect(Object.entries(counts)).toContainEqual(["__proto__", 5]);
      }
    });

    it("refuses what comes after close, and closes twice without harm", async () => {
      const store = open();
      await store.merge("rules", rule("r"));
      await store.close();
      await store.close();
      await expect(store.merge("rules", rule("r"))).rejects.toMatchObject({ code: "STORE_CLOSED" });
      await expect(store.append(request("q"))).rejects.toMatchObject({ code: "STORE_CLOSED" });
    });

    it("flushes everything that waits", async () => {
      const store = open();
      let done = 0;
      for (let index = 0; index < 200; index++) {
        void store.append(request(`q${index}`)).then(() => done++);
        void store.merge("templates", template(`t${index % 7}`)).then(() => done++);
      }
      await store.flush();
      expect(done).toBe(400);
    });

    describe("when it is shared", () => {
      const isShared = () => open().abilities.sharedByProcesses;

      it("finds everything again after closing", async (context) => {
        if (!isShared()) return context.skip("this driver lives as long as its process");
        const first = open();
        await first.merge("templates", template("t", 10));
        await first.merge("templates", template("t", 11));
        await first.merge("settings", { id: "s", value: { deep: [null, 1, "x"] } });
        await first.append(request("q"));
        const before = first.get("templates", "t");
        await first.close();
        const second = open();
        await second.ready();
        expect(second.get("templates", "t")).toEqual(before);
        expect(second.get("settings", "s")?.value).toEqual({ deep: [null, 1, "x"] });
        expect(await collect(second.requests())).toEqual([request("q")]);
      });

      it("adds the counts of several writers exactly, and ends with the latest fields everywhere", async (context) => {
        if (!isShared()) return context.skip("this driver lives as long as its process");
        const stores = [open({ pollMs: 50 }), open({ pollMs: 50 }), open({ pollMs: 50 })];
        await Promise.all(
          stores.flatMap((store, writer) =>
            Array.from({ length: 50 }, (_, index) =>
              store.merge("templates", {
                ...template("t", index * 3 + writer),
                workingWindow: index * 3 + writer,
              }),
            ),
          ),
        );
        await vi.waitFor(() => {
          for (const store of stores) {
            expect(store.get("templates", "t")).toMatchObject({
              createdAt: time(0),
              updatedAt: time(149),
              workingWindow: 149,
              counts: { observations: 150, promptTokens: { "120": 150 } },
            });
          }
        }, 10_000);
      });

      it("lets one of many writers create a document, and all agree", async (context) => {
        if (!isShared()) return context.skip("this driver lives as long as its process");
        const stores = [open(), open(), open(), open()];
        const created = await Promise.all(
          stores.map((store, value) => store.create("settings", { id: "key", value })),
        );
        expect(new Set(created.map(({ value }) => value)).size).toBe(1);
      });

      it("tells of others' changes and removals within a second, not of its own", async (context) => {
        if (!isShared()) return context.skip("this driver lives as long as its process");
        const [mine, theirs] = [open(), open()];
        await Promise.all([mine.ready(), theirs.ready()]);
        const events: string[] = [];
        const unsubscribe = mine.subscribe(({ kind, id, record }) =>
          events.push(`${kind} ${id} ${record === null ? "removed" : "changed"}`),
        );
        await mine.merge("rules", rule("own"));
        await theirs.merge("rules", rule("theirs"));
        await vi.waitFor(() => expect(events).toEqual(["rules theirs changed"]), 10_000);
        expect(mine.get("rules", "theirs")).toBeDefined();
        await theirs.remove("rules", "theirs");
        await vi.waitFor(() => expect(events.at(-1)).toBe("rules theirs removed"), 10_000);
        expect(mine.get("rules", "theirs")).toBeUndefined();
        unsubscribe();
        await theirs.merge("rules", rule("later"));
        await vi.waitFor(() => expect(mine.get("rules", "later")).toBeDefined(), 10_000);
        expect(events).toHaveLength(2);
      });

      it("tells of another's change also when one of its own follows before that was seen", async (context) => {
        if (!isShared()) return context.skip("this driver lives as long as its process");
        const [mine, theirs] = [open({ pollMs: 60_000 }), open({ pollMs: 60_000 })];
        await Promise.all([mine.ready(), theirs.ready()]);
        const events: unknown[] = [];
        mine.subscribe(({ kind, id, record }) => events.push([kind, id, record?.counts]));
        await mine.merge("rules", rule("both"));
        await theirs.merge("rules", rule("both"));
        await Promise.all([
          mine.merge("rules", { id: "both", counts: { total: 1 } }),
          mine.merge("rules", { id: "both", counts: { total: 1 } }),
        ]);
        expect(events).toEqual([["rules", "both", { success: 2, total: 4 }]]);
        await mine.merge("rules", { id: "both", counts: { total: 1 } });
        expect(events).toHaveLength(1);
      });

      it("drops a change to a document that another has removed", async (context) => {
        if (!isShared()) return context.skip("this driver lives as long as its process");
        const [mine, theirs] = [open({ pollMs: 60_000 }), open({ pollMs: 60_000 })];
        await mine.merge("templates", template("t"));
        const late = open({ pollMs: 60_000 });
        await late.ready();
        await theirs.remove("templates", "t");
        await late.merge("templates", { id: "t", counts: { observations: 1 } });
        expect(late.get("templates", "t")).toBeUndefined();
      });

      it("keeps the documents of two servers apart and their templates together", async (context) => {
        if (!isShared()) return context.skip("this driver lives as long as its process");
        const [one, two] = [open(), open()];
        await one.merge("profiles", {
          id: "server-1 blob",
          serverId: "server-1",
          blob: "blob",
          recentNeeds: [100],
        });
        await two.merge("profiles", {
          id: "server-2 blob",
          serverId: "server-2",
          blob: "blob",
          recentNeeds: [900],
        });
        await Promise.all([one.merge("templates", template("t")), two.merge("templates", template("t"))]);
        const third = open();
        await third.ready();
        expect(third.get("profiles", "server-1 blob")?.recentNeeds).toEqual([100]);
        expect(third.get("profiles", "server-2 blob")?.recentNeeds).toEqual([900]);
        expect(third.get("templates", "t")?.counts.observations).toBe(2);
      });
    });
  });
}
