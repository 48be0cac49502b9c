import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const NO_ENVIRONMENTS = 3;

/** The interpreter that has the Python clients; null, with a word on the console, where there can be none. */
export function pythonClients(): string | null {
  const script = join(import.meta.dirname, "../../../../scripts/python/clients.sh");
  const { status, stdout, stderr } = spawnSync(script, { encoding: "utf8" });
  if (status === 0) return stdout.trim();
  if (status !== NO_ENVIRONMENTS) throw new Error(`${script}: ${stderr}`);
  console.warn(`SKIPPED: the Python clients, as ${stderr.trim()}`);
  return null;
}

/** Runs a program of this folder; resolves with the checks that it names. */
export async function runPython(python: string, program: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(python, [join(import.meta.dirname, program), ...args]);
  return stdout.trim().split("\n");
}
