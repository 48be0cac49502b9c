import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const INSTALL_TIMEOUT_MS = 180_000;

/** The interpreter that has the Python clients, installed if need be; null, with a word on the console, where it cannot be had. */
export function pythonClients(): string | null {
  const script = join(import.meta.dirname, "../../../../scripts/python/clients.sh");
  const { status, stdout, stderr } = spawnSync(script, { encoding: "utf8", timeout: INSTALL_TIMEOUT_MS });
  if (status === 0) return stdout.trim();
  console.warn(`SKIPPED: the Python clients, as scripts/python/clients.sh fails: ${stderr.trim()}`);
  return null;
}

/** Runs a program of this folder; resolves with the checks that it names. */
export async function runPython(python: string, program: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(python, [join(import.meta.dirname, program), ...args]);
  return stdout.trim().split("\n");
}
