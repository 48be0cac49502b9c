/** The health of the store's folder. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { OptimizerError } from "../../errors.js";
import { ceilingWindow } from "../../optimizer/ceilings.js";
import type { ProfileRecord, RequestRecord } from "../../records.js";
import type { OptimizerStore } from "../../storage/store.js";
import { type Surroundings, withoutRemedy } from "../command.js";
import { storeFolder } from "../openStore.js";
import { isOnServer, type StorePlace, withStore } from "../storeAt.js";
import { count, counted, size } from "../terminal.js";
import { type Finding, finding } from "./finding.js";

export interface StoreHealth {
  readonly findings: readonly Finding[];
  readonly profiles: readonly ProfileRecord[];
}

const RECENT_REQUESTS = 200;
const LOW_DISK_BYTES = 2 ** 30;

/** Opens the store as any program does (what is damaged is set aside), unless it is a folder that is not there yet. */
export async function storeHealth(place: StorePlace, surroundings: Surroundings): Promise<StoreHealth> {
  const name = storeFolder(place.store, surroundings.environment);
  const folder = isOnServer(name) ? null : name;
  if (folder !== null && !existsSync(folder)) {
    const text = `There is no store at ${folder} yet: the first call makes it.`;
    return { findings: [finding("store", "note", text)], profiles: [] };
  }
  const warned: string[] = [];
  try {
    return await withStore(place, surroundings, (store) => examined(store, folder, warned), {
      warn: (text) => void warned.push(text),
    });
  } catch (error) {
    surroundings.signal.throwIfAborted();
    if (!OptimizerError.isInstance(error)) throw error;
    return { findings: [finding("store", "error", withoutRemedy(error), error.remedy)], profiles: [] };
  }
}

/** @param folder null for a store on a server */
async function examined(
  store: OptimizerStore,
  folder: string | null,
  warned: readonly string[],
): Promise<StoreHealth> {
  const profiles = [...store.list("profiles")];
  const findings = [
    contents(store, folder, profiles),
    ...warned.map((text) =>
      finding(
        "store",
        "warning",
        text,
        "Put a copy of the file back if there is one; else nothing: it is learned anew.",
      ),
    ),
    ...(folder === null ? [] : [...setAside(folder), ...(await disk(folder))]),
    ...(await recentCalls(store)),
    ...settled(profiles),
  ];
  return { findings, profiles };
}

function contents(store: OptimizerStore, folder: string | null, profiles: readonly ProfileRecord[]): Finding {
  const templates = [...store.list("templates")].length;
  return finding(
    "store",
    "ok",
    `${folder ?? store.location} can be read: ${counted(templates, "template")}, ${counted(profiles.length, "profile")}${folder === null ? "" : `, ${size(sizeOf(folder))}`}.`,
  );
}

function sizeOf(folder: string): number {
  return filesIn(folder).reduce(
    (bytes, path) => bytes + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
}

function setAside(folder: string): Finding[] {
  const damaged = filesIn(folder).filter((path) => /\.damaged-[^/\\]+$/.test(path));
  if (damaged.length === 0) return [];
  return [
    finding(
      "store",
      "warning",
      `${counted(damaged.length, "damaged file")} set aside: ${damaged.slice(0, 5).join(", ")}.`,
      "Put copies back under their names without the ending, or delete them; what they held is learned anew.",
    ),
  ];
}

async function disk(folder: string): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes >= LOW_DISK_BYTES) return [];
  const text = `The disk of ${folder} has ${size(freeBytes)} left.`;
  return [
    finding(
      "store",
      "warning",
      text,
      "Free some space: what cannot be written is kept in memory until then.",
    ),
  ];
}

/** What the last calls met. */
async function recentCalls(store: OptimizerStore): Promise<Finding[]> {
  const requests: RequestRecord[] = [];
  for await (const request of store.requests({ newestFirst: true, limit: RECENT_REQUESTS }))
    requests.push(request);
  if (requests.length === 0) return [];
  const errors = new Map<string, number>();
  for (const { error } of requests) if (error) errors.set(error, (errors.get(error) ?? 0) + 1);
  const cuts = requests.filter(({ decision }) => decision?.outcome?.cut).length;
  const list = [...errors].map(([code, times]) => `${code} ${count(times)}`).join(", ");
  const last = `Of the last ${counted(requests.length, "call")}`;
  return [
    errors.size === 0
      ? finding("store", "ok", `${last} none failed.`)
      : finding(
          "store",
          "note",
          `${last} ${count([...errors.values()].reduce((a, b) => a + b))} failed: ${list}.`,
          "See what they met: langchain-ollama-optimizer inspect requests",
        ),
    ...(cuts > 0
      ? [
          finding(
            "window",
            "warning",
            `${last} ${count(cuts)} were answered from a cut prompt.`,
            'Leave onOverflow at its default "error", or "trim"; and update Ollama if it is older than 0.12.6.',
          ),
        ]
      : []),
  ];
}

/** What profiles say that a person may want to change. */
function settled(profiles: readonly ProfileRecord[]): Finding[] {
  return profiles.flatMap(({ models, blob, ceilings = [], pinnedNumCtx }) => {
    const name = models?.join(", ") || `the weights ${blob?.slice(0, 12)}`;
    // As they are for a machine as full as it was then.
    const inForce = ceilings.filter(
      (each) => ceilingWindow([each], Number.POSITIVE_INFINITY, Date.now()) < Number.POSITIVE_INFINITY,
    );
    const smallest = Math.min(...inForce.map(({ numCtx }) => numCtx));
    return [
      ...(inForce.length > 0
        ? [
            finding(
              "memory",
              "warning",
              `${name} ran out of memory with a window of ${count(smallest)}: smaller ones are used for a day, or a week while as much else is loaded.`,
              "Unload other models, or allow less: the optimizer's maximumWindow.",
            ),
          ]
        : []),
      ...(pinnedNumCtx
        ? [
            finding(
              "window",
              "note",
              `The window of ${name} is pinned to ${count(pinnedNumCtx)} by a person.`,
            ),
          ]
        : []),
    ];
  });
}
