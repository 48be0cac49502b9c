import { describe, expect, it, vi } from "vitest";
import { CommitQueue, type CommitQueueOptions } from "../../src/storage/commitQueue.ts";

function queueOf(options: Partial<CommitQueueOptions<string>> & Pick<CommitQueueOptions<string>, "commit">) {
  const onFailure = vi.fn();
  const queue = new CommitQueue<string>({
    patienceMs: 0,
    isPassing: (error) => !(error instanceof TypeError),
    maxQueuedBytes: 1000,
    maxCommitBytes: 100,
    onFailure,
    ...options,
  });
  return { queue, onFailure };
}

function gathering(gatherMs: number) {
  const commits: string[][] = [];
  const commit = async (items: readonly string[]) => {
    commits.push([...items]);
    return { stored: items.length };
  };
  return { commits, ...queueOf({ gatherMs, commit }) };
}

describe("CommitQueue", () => {
  it("commits what arrives during a commit together, in order", async () => {
    const commits: string[][] = [];
    const { queue } = queueOf({
      commit: async (items) => {
        commits.push([...items]);
        await new Promise((resolve) => setImmediate(resolve));
        return { stored: items.length };
      },
    });
    const first = queue.add("a", 1);
    await Promise.resolve();
    await Promise.resolve();
    void queue.add("b", 1);
    void queue.add("c", 1);
    await first;
    await queue.flush();
    expect(commits).toEqual([["a"], ["b", "c"]]);
  });

  it("gathers what comes in its time into one commit", async () => {
    const { commits, queue } = gathering(1_000);
    const first = queue.add("a", 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.all([first, queue.add("b", 1)]);
    expect(commits).toEqual([["a", "b"]]);
  });

  it("a flush or a full commit does not wait for what may still come", async () => {
    const { commits, queue } = gathering(3_600_000);
    void queue.add("a", 1);
    await queue.flush();
    await queue.add("b", 100);
    await new Promise((resolve) => setTimeout(resolve, 5));
    void queue.add("c", 1);
    await queue.add("d", 100);
    expect(commits.flat()).toEqual(["a", "b", "c", "d"]);
    expect(commits.slice(0, 2)).toEqual([["a"], ["b"]]);
  });

  it("commits what a caller adds the moment it is told that its item is stored", async () => {
    const { queue } = queueOf({ commit: async (items) => ({ stored: items.length }) });
    for (let index = 0; index < 100; index++) await queue.add("a", 1);
  });

  it("closes while a commit runs that fails: it rejects, and does not try for ever", async () => {
    let commits = 0;
    const { queue } = queueOf({
      commit: async () => {
        commits++;
        await new Promise((resolve) => setTimeout(resolve, 5));
        return { stored: 0, error: new Error("full") };
      },
    });
    const added = queue.add("a", 1);
    added.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 2));
    await expect(queue.close()).rejects.toThrow();
    expect(commits).toBeLessThan(4);
  });

  it("tells and tries again when a commit throws", async () => {
    let commits = 0;
    const { queue, onFailure } = queueOf({
      commit: async (items) => {
        if (++commits === 1) throw new Error("gone");
        return { stored: items.length };
      },
    });
    await expect(queue.add("a", 1)).rejects.toThrow("gone");
    expect(onFailure).toHaveBeenCalledOnce();
    await queue.flush();
    expect(commits).toBe(2);
  });

  it("divides what waits by size, but never an item", async () => {
    const sizes: number[] = [];
    const { queue } = queueOf({
      commit: async (items) => {
        sizes.push(items.length);
        return { stored: items.length };
      },
    });
    for (const bytes of [60, 60, 300, 40, 40]) void queue.add("a", bytes);
    await queue.flush();
    expect(sizes).toEqual([1, 1, 1, 2]);
  });

  it("rejects what cannot be stored, keeps it, and stores it when it can be", async () => {
    let isFull = true;
    const stored: string[] = [];
    const { queue, onFailure } = queueOf({
      commit: async (items) => {
        if (isFull) {
          stored.push(...items.slice(0, 1));
          return { stored: 1, error: new Error("full") };
        }
        stored.push(...items);
        return { stored: items.length };
      },
    });
    const results = await Promise.allSettled([queue.add("a", 1), queue.add("b", 1), queue.add("c", 1)]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(onFailure).toHaveBeenCalledWith(new Error("full"));
    isFull = false;
    await queue.flush();
    expect(stored).toEqual(["a", "b", "c"]);
  });

  it("waits as long as its patience allows for a store that comes back", async () => {
    let attempts = 0;
    const { queue } = queueOf({
      patienceMs: 10_000,
      commit: async (items) =>
        ++attempts < 3 ? { stored: 0, error: new Error("away") } : { stored: items.length },
    });
    await queue.add("a", 1);
    expect(attempts).toBe(3);
  });

  it("does not wait for what will not pass", async () => {
    const { queue } = queueOf({
      patienceMs: 60_000,
      commit: async () => ({ stored: 0, error: new TypeError("another version") }),
    });
    await expect(queue.add("a", 1)).rejects.toThrow("another version");
    await queue.close().catch(() => {});
  });

  it("rejects what was written but not synced, and does not write it again", async () => {
    const written: string[] = [];
    const { queue } = queueOf({
      commit: async (items) => {
        written.push(...items);
        return { stored: 0, unsynced: items.length, error: new Error("EIO") };
      },
    });
    await expect(queue.add("a", 1)).rejects.toThrow("EIO");
    await queue.flush();
    expect(written).toEqual(["a"]);
  });

  it("refuses more than it may hold, and tells what was dropped", async () => {
    const dropped: string[] = [];
    const { queue } = queueOf({
      commit: async () => ({ stored: 0, error: new Error("away") }),
      onDropped: (item) => dropped.push(item),
    });
    const kept = queue.add("kept", 900);
    await expect(queue.add("refused", 200)).rejects.toMatchObject({ code: "STORE_QUEUE_FULL" });
    expect(dropped).toEqual(["refused"]);
    await expect(kept).rejects.toThrow("away");
    await expect(queue.close()).rejects.toThrow("away");
    expect(dropped).toEqual(["refused", "kept"]);
    await expect(queue.add("late", 1)).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });
});
