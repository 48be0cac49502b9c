/** Makes sure that a server's store has this package's version: new, as it should be, carried over, or refused. */
import { setTimeout as sleep } from "node:timers/promises";
import { OptimizerError } from "../../errors.js";
import type { OptimizerStore } from "../store.js";
import type { Migration } from "./index.js";
import { migrateStore } from "./migrateStore.js";

/** A reservation that was not renewed for so long belongs to a process that is gone, in milliseconds. */
export const RESERVED_MS = 60_000;
const RENEW_MS = 15_000;
const BUSY_MS = 500;
const GIVE_UP_MS = 10 * 60_000;

/** What a driver says and does about versions. Data of two versions lie side by side. */
export interface VersionedPlace {
  readonly location: string;
  readonly to: number;
  readonly steps: readonly Migration[];
  /**
   * In one step: notes version `to` when nothing is noted, and reserves the migration when an older one is. From
   * then on nobody can write to the old version.
   *
   * @returns the version noted, or "busy" when another process is migrating
   */
  begin(): Promise<number | "busy">;
  /** Keeps the reservation for another {@link RESERVED_MS}. */
  renew(): Promise<void>;
  /** Opens the data of one version, without asking for versions again. */
  open(version: number): OptimizerStore;
  /** Removes the data of one version. */
  drop(version: number): Promise<void>;
  /** Notes the version and ends the reservation. */
  end(version: number): Promise<void>;
}

/** @throws OptimizerError `STORE_NEWER`, `STORE_MIGRATION_FAILED`, `STORE_LOCKED`, `STORE_UNREACHABLE` */
export async function prepareServer(place: VersionedPlace): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  for (let found = await place.begin(); found !== place.to; found = await place.begin()) {
    if (found === "busy") {
      if (performance.now() > deadline) throw locked(place.location);
      await sleep(BUSY_MS);
    } else if (found > place.to) throw newer(place.location, found, place.to);
    else await carry(place, found);
  }
}

async function carry(place: VersionedPlace, from: number): Promise<void> {
  const { to, steps } = place;
  const renewal = setInterval(() => void place.renew().catch(() => {}), RENEW_MS);
  try {
    // What an interrupted migration left.
    await place.drop(to);
    await migrateStore({ from, to, steps, openOld: () => place.open(from), openNew: () => place.open(to) });
    await place.end(to);
  } catch (error) {
    await place.end(from);
    throw error;
  } finally {
    clearInterval(renewal);
  }
  await place.drop(from);
}

/** @example newer("Redis, prefix a:", 2, 1).code // "STORE_NEWER" */
export function newer(location: string, found: number, known: number): OptimizerError {
  return new OptimizerError({
    code: "STORE_NEWER",
    message: `${location} has schema version ${found}; this package knows up to ${known}`,
    remedy: "Update langchain-ollama-optimizer, or choose another prefix. Nothing was changed.",
  });
}

function locked(location: string): OptimizerError {
  return new OptimizerError({
    code: "STORE_LOCKED",
    message: `${location} is being carried to a newer version by another program for over ten minutes`,
    remedy: "Wait for it, or end that program, and open the store again.",
  });
}
