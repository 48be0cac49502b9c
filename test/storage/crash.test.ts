import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openJsonStore } from "../../src/storage/json/openJsonStore.ts";
import { buildChildren, type Child, type ChildPrograms } from "./childProcess.ts";

/** Kills; a thousand take two to three minutes on two cores. `STORE_KILLS=50` for a quick look. */
const KILLS = Number(process.env.STORE_KILLS ?? 1000);
/** Processes that write at the same time, each killed and replaced by the next. */
const AT_ONCE = 3;
const CHECK_EVERY = 100;

let folder: string;
let children: ChildPrograms;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "optimizer-crash-"));
  children = buildChildren();
});
afterAll(async () => {
  children.remove();
  await rm(folder, { recursive: true, force: true });
});

/** What the killed programs said. */
const requested = new Set<string>();
const acknowledged = new Set<string>();
const begun = new Map<string, number>();
const counted = new Map<string, number>();

function listen(child: Child): void {
  let rest = "";
  child.stdout.on("data", (data) => {
    const lines = (rest + data).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [sign, kind, id = ""] = line.split(" ");
      if (kind === "r") (sign === "+" ? requested : acknowledged).add(id);
      else {
        const counts = sign === "+" ? begun : counted;
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    }
  });
  child.stderr.on("data", (data) => errors.push(String(data)));
}
const errors: string[] = [];

/** Once so many lines came: six for each round of three writes. */
function hasSaid(child: Child, lines: number): Promise<void> {
  let said = 0;
  return new Promise((resolve) => {
    child.stdout.on("data", (data) => {
      said += String(data).split("\n").length - 1;
      if (said >= lines) resolve();
    });
  });
}

async function runAndKill(name: string): Promise<void> {
  const child = children.start("writer", join(folder, "store"), name);
  const isGone = new Promise((resolve) => child.once("close", resolve));
  listen(child);
  // By what it did, so that a slow disk sees as much of it, and then by time, so that a fast one sees folds too.
  await Promise.race([hasSaid(child, Math.ceil(Math.random() * 30)), isGone]);
  await sleep(Math.random() * 30);
  child.kill("SIGKILL");
  await isGone;
}

async function checkEverything(): Promise<void> {
  const warnings: string[] = [];
  const store = openJsonStore(join(folder, "store"), {
    logger: { warn: (message) => warnings.push(message) },
  });
  await store.ready();
  const found = new Map<string, number>();
  for await (const { id } of store.requests()) found.set(id, (found.get(id) ?? 0) + 1);
  expect([...acknowledged].filter((id) => found.get(id) !== 1)).toEqual([]);
  expect([...found.keys()].filter((id) => !requested.has(id))).toEqual([]);
  for (const [id, atLeast] of counted) {
    const count =
      store.get("templates", id)?.counts.observations ?? store.get("rules", id)?.counts.success ?? 0;
    expect(count, id).toBeGreaterThanOrEqual(atLeast);
    expect(count, id).toBeLessThanOrEqual(begun.get(id) ?? 0);
  }
  // Half a line at the end of a log is what a kill leaves; no file may be worse than that.
  expect(warnings.filter((warning) => !warning.includes("line that is not"))).toEqual([]);
  await store.close();
}

it(`loses nothing that was acknowledged and damages no file when ${KILLS} writers are killed`, {
  timeout: 600_000,
}, async () => {
  for (let kills = 0; kills < KILLS; kills += CHECK_EVERY) {
    const waiting = Array.from(
      { length: Math.min(CHECK_EVERY, KILLS - kills) },
      (_, index) => `${kills + index}`,
    );
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) await runAndKill(name);
      }),
    );
    await checkEverything();
  }
  const names = await readdir(join(folder, "store"), { recursive: true });
  expect(names.filter((name) => name.includes("damaged"))).toEqual([]);
  expect(acknowledged.size).toBeGreaterThan(KILLS);
  expect(errors).toEqual([]);
  console.log(
    `${KILLS} kills: ${acknowledged.size} requests and ${[...counted.values()].reduce((a, b) => a + b, 0)} counts acknowledged, none lost`,
  );
});
