/** Who a server is: its origin, and for a loopback origin also this machine. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

let machine: string | undefined;

/**
 * A short id of this machine, so that a store that several people share never mixes their `127.0.0.1:11434`.
 * From `/etc/machine-id` where there is one, else the host's name; hashed, so that neither leaves the machine.
 */
function machineId(): string {
  machine ??= createHash("sha256").update(machineName()).digest("hex").slice(0, 12);
  return machine;
}

function machineName(): string {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim() || hostname();
  } catch {
    return hostname();
  }
}

/**
 * @param origin base address of the server; credentials and a trailing slash are left out
 * @example serverId("http://gpu-box:11434/", "abc") // "http://gpu-box:11434"
 * @example serverId("http://localhost:11434", "abc") // "http://127.0.0.1:11434@abc"
 */
export function serverId(origin: string, machineName: string = machineId()): string {
  const url = new URL(origin);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const path = url.pathname.replace(/\/+$/, "");
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0)$/.test(url.hostname);
  const host = isLoopback ? "127.0.0.1" : url.hostname;
  return `${url.protocol}//${host}:${port}${path}${isLoopback ? `@${machineName}` : ""}`;
}
