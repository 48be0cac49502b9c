/** The test server in a process of its own, so that its work is not on the clock of what is measured. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startOllamaServer } from "../../src/testing/index.js";

export interface ScriptedServer {
  readonly origin: string;
  stop(): void;
}

/** A server with one model "tiny" whose window is loaded when it is first asked for. */
export async function scriptedServer(): Promise<ScriptedServer> {
  const child = fork(fileURLToPath(import.meta.url), ["serve"]);
  const [origin] = (await once(child, "message")) as [string];
  return { origin, stop: () => child.kill() };
}

if (process.argv[2] === "serve" && process.send) {
  const { origin } = await startOllamaServer({ loadMs: 10 });
  process.send(origin);
  process.once("disconnect", () => process.exit());
}
