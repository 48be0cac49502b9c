/** The programs that are compared, each in a process of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Program {
  readonly origin: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const LISTENING = /Listening at (\S+)/;

/** `serve` as a user starts it, with a JSON store that is new. */
export async function startOptimizer(upstream: string): Promise<Program> {
  const store = await mkdtemp(join(tmpdir(), "server-bench-"));
  const program = fileURLToPath(new URL("./serve.js", import.meta.url));
  const child = spawn(process.execPath, [program, "--port", "0", "--upstream", upstream, "--store", store], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const origin = await said(child, LISTENING);
  return {
    origin,
    pid: child.pid!,
    stop: async () => {
      await ended(child);
      await rm(store, { recursive: true, force: true });
    },
  };
}

/** Decides nothing: what is added by standing in between. */
export async function startBareProxy(upstream: string): Promise<Program> {
  const file = fileURLToPath(new URL("./bareProxy.js", import.meta.url));
  const child = spawn(process.execPath, [file, upstream], { stdio: ["ignore", "pipe", "inherit"] });
  return { origin: await said(child, LISTENING), pid: child.pid!, stop: () => ended(child) };
}

/** Headers by which the Portkey gateway sends a call on to this server. */
export const portkeyHeaders = (upstream: string): Readonly<Record<string, string>> => ({
  "x-portkey-provider": "ollama",
  "x-portkey-custom-host": upstream,
});

export async function startPortkey(): Promise<Program> {
  const port = await freePort();
  // What the package runs as its command; its exports do not name it.
  const file = join(process.cwd(), "node_modules/@portkey-ai/gateway/build/start-server.js");
  const child = spawn(process.execPath, [file, `--port=${port}`, "--headless"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await said(child, /(Ready for connections)/);
  return { origin: `http://127.0.0.1:${port}`, pid: child.pid!, stop: () => ended(child) };
}

/** Megabytes in memory now. */
export function residentMegabytes({ pid }: Program): number {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)]).toString()) / 1_024;
}

/** Milliseconds of processor time so far; null where the system does not tell. */
export function processorMs({ pid }: Program): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    // utime and stime of proc(5), in hundredths of a second.
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return null;
  }
}

async function said(child: ChildProcess, what: RegExp): Promise<string> {
  let output = "";
  return new Promise((resolve, reject) => {
    child.stdout!.on("data", (data) => {
      output = (output + data).slice(-10_000);
      const found = what.exec(output);
      if (found) resolve(found[1]!);
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${output}`)));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, "exit");
  child.kill();
  const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await exit;
  clearTimeout(late);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
