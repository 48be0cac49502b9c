/** The lock of a store's folder, held around everything that rewrites its files. Appending needs none. */
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { lock } from "proper-lockfile";
import { fileErrorCode } from "./failure.js";

/** A lock that was not renewed for so long belongs to a process that is gone, in milliseconds. */
const STALE_MS = 10_000;
const LOCK_NAME = "lock";

/** Whether the lock is still ours; false after this process slept so long that another one took it. */
export interface HeldLock {
  isHeld(): boolean;
}

/**
 * Runs work under the lock of a folder.
 *
 * @param waitMs how long to wait for it; 0 tries once
 * @returns false when another process has it
 */
export async function underLock(
  folder: string,
  waitMs: number,
  work: (held: HeldLock) => Promise<void>,
): Promise<boolean> {
  const release = await acquire(folder, waitMs);
  if (release === null) return false;
  try {
    await work(release);
  } finally {
    await release.end();
  }
  return true;
}

async function acquire(
  folder: string,
  waitMs: number,
): Promise<(HeldLock & { end(): Promise<void> }) | null> {
  const lockfilePath = join(folder, LOCK_NAME);
  const deadline = performance.now() + waitMs;
  for (;;) {
    let isHeld = true;
    try {
      const release = await lock(folder, {
        lockfilePath,
        realpath: false,
        stale: STALE_MS,
        onCompromised: () => {
          isHeld = false;
        },
      });
      // A lock that was taken over is not ours to release.
      return { isHeld: () => isHeld, end: () => release().catch(() => {}) };
    } catch (error) {
      if (fileErrorCode(error) !== "ELOCKED") throw error;
    }
    await removeLockOfTheFuture(lockfilePath);
    if (performance.now() >= deadline) return null;
    await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 30));
  }
}

/** After a clock was put back, a lock left behind would look fresh until the clock has caught up. */
async function removeLockOfTheFuture(path: string): Promise<void> {
  const stats = await stat(path).catch(() => null);
  if (stats !== null && stats.mtimeMs > Date.now() + STALE_MS)
    await rm(path, { recursive: true, force: true });
}
