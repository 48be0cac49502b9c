/** Private Redis and PostgreSQL servers for tests: free ports, folders of their own, nothing shared. */
import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_MS = 20_000;

/** Where a program lies, or null. Debian keeps PostgreSQL's outside of PATH. */
export function findProgram(name) {
  const folder = "/usr/lib/postgresql";
  const versions = existsSync(folder) ? readdirSync(folder).sort().reverse() : [];
  const places = [
    ...versions.map((version) => join(folder, version, "bin")),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  return places.map((place) => join(place, name)).find((path) => existsSync(path)) ?? null;
}

/** A Redis that syncs every write before it answers; null when it is not installed. */
export async function startRedis() {
  const program = findProgram("redis-server");
  if (program === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "optimizer-redis-"));
  const port = await freePort();
  const settings = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
  const words = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, ...settings];
  return startServer({
    url: `redis://127.0.0.1:${port}`,
    folder,
    start: () => spawn(program, words, { stdio: "ignore" }),
    isReady: async () => (await ask(port, "PING\r\n")).startsWith("+PONG"),
  });
}

/** A PostgreSQL with its usual durability; null when it is not installed. */
export async function startPostgres() {
  const [program, initdb] = [findProgram("postgres"), findProgram("initdb")];
  if (program === null || initdb === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "optimizer-postgres-"));
  const port = await freePort();
  const user = unprivilegedUser();
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const environment = { PATH: process.env.PATH, LC_ALL: "C.UTF-8" };
  const data = join(folder, "data");
  const options = { ...user, env: environment, cwd: folder, stdio: "ignore" };
  execFileSync(initdb, ["-D", data, "-U", "optimizer", "-A", "trust", "-E", "UTF8", "--no-sync"], options);
  const words = ["-D", data, "-p", String(port), "-k", folder, "-h", "127.0.0.1"];
  return startServer({
    url: `postgres://optimizer@127.0.0.1:${port}/postgres`,
    folder,
    start: () => spawn(program, words, options),
    // A startup packet of version 3.0; a server that is still recovering answers with an error.
    isReady: async () => (await ask(port, startupPacket())).startsWith("R"),
  });
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser() {
  if (process.getuid?.() !== 0) return {};
  const id = (flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

async function startServer({ url, folder, start, isReady }) {
  let child;
  const run = async () => {
    const deadline = Date.now() + START_MS;
    for (;;) {
      child = start();
      const hasExited = new Promise((resolve) => child.once("exit", () => resolve(true)));
      while (Date.now() < deadline) {
        if (await isReady().catch(() => false)) return;
        // After a kill, PostgreSQL waits for the processes of the one before.
        if (await Promise.race([hasExited, sleep(50).then(() => false)])) break;
      }
      if (Date.now() >= deadline) throw new Error(`The server for ${url} did not start in ${START_MS} ms.`);
    }
  };
  const end = async (signal) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await exited;
  };
  await run();
  return {
    url,
    pid: () => child.pid,
    kill: () => end("SIGKILL"),
    restart: run,
    stop: async () => {
      await end("SIGINT");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function ask(port, question) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(question));
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString("latin1"));
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
    socket.setTimeout(1000, () => socket.destroy());
  });
}

function startupPacket() {
  const words = Buffer.from("user\0optimizer\0database\0postgres\0\0");
  const packet = Buffer.alloc(8 + words.length);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(196_608, 4);
  words.copy(packet, 8);
  return packet;
}
