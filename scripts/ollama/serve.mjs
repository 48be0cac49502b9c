/**
 * Real Ollama servers for tests, each on a free port of its own, stopped with everything they started.
 *
 *   node scripts/ollama/serve.mjs [--only 0.34.0] [--each 2] [-- COMMAND ...]
 *
 * starts the installed versions, sets OLLAMA_TEST_0_34 and OLLAMA_TEST_0_24 to their addresses, runs COMMAND and
 * ends with its status. Without COMMAND it stays until Ctrl-C. With `--each N` there are N servers of each version,
 * and their addresses are divided by commas: so many live tests run at a time.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cacheFolder, modelsOf, programOf, VERSIONS } from "./cache.mjs";

const running = new Set();
// Also after an uncaught error or process.exit: their groups outlive this process otherwise.
process.on("exit", () => {
  for (const { pid } of running) signal(pid, "SIGKILL");
});

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts one server; `env` adds to its environment. Resolves when it answers. */
export async function startOllama({ version, port, env = {} }) {
  const program = programOf(version);
  if (!existsSync(program))
    throw new Error(`ollama ${version} is not installed: run scripts/ollama/install.sh ${version}`);
  const at = port ?? (await freePort());
  const origin = `http://127.0.0.1:${at}`;
  mkdirSync(join(cacheFolder, "logs"), { recursive: true });
  const log = openSync(join(cacheFolder, "logs", `ollama-${version}-${at}.log`), "w");
  // A process group of its own: its runners end with it.
  const child = spawn(program, ["serve"], {
    detached: true,
    stdio: ["ignore", log, log],
    env: {
      ...process.env,
      OLLAMA_HOST: `127.0.0.1:${at}`,
      OLLAMA_MODELS: modelsOf(version),
      OLLAMA_NOPRUNE: "1",
      ...env,
    },
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    if (child.exitCode === null) {
      signal(child.pid, "SIGTERM");
      const late = setTimeout(() => signal(child.pid, "SIGKILL"), 5_000);
      await ended;
      clearTimeout(late);
    }
    signal(child.pid, "SIGKILL");
    running.delete(server);
  };
  const server = { origin, pid: child.pid, version, stop };
  running.add(server);
  for (let tries = 0; tries < 150; tries++) {
    if (child.exitCode !== null) break;
    const answered = await fetch(`${origin}/api/version`).then(
      (reply) => reply.ok,
      () => false,
    );
    if (answered) return server;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  throw new Error(`ollama ${version} did not start; see logs/ in the cache folder`);
}

function signal(pid, name) {
  try {
    process.kill(-pid, name);
  } catch {
    // The group has ended already.
  }
}

const variableOf = (version) => `OLLAMA_TEST_${version.split(".").slice(0, 2).join("_")}`;

async function main(args) {
  const at = args.indexOf("--");
  const command = at < 0 ? [] : args.slice(at + 1);
  const own = at < 0 ? args : args.slice(0, at);
  const { only, each } = parseArgs({
    args: own,
    options: { only: { type: "string" }, each: { type: "string", default: "1" } },
  }).values;
  const versions = VERSIONS.filter(
    (version) => existsSync(programOf(version)) && (!only || version === only),
  );
  if (versions.length === 0) throw new Error("no Ollama is installed: run scripts/ollama/install.sh");
  const stopAll = () => Promise.all([...running].map(({ stop }) => stop()));
  let child;
  // Before anything starts: a signal while a server starts would leave it behind.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(name, () => {
      child?.kill(name);
      void stopAll().then(() => process.exit(128 + constants.signals[name]));
    });
  }
  const { makeModels } = await import("./models.mjs");
  for (const version of versions) await makeModels(version);
  const env = {};
  for (const version of versions) {
    const origins = [];
    while (origins.length < Number(each)) origins.push((await startOllama({ version })).origin);
    env[variableOf(version)] = origins.join(",");
  }
  console.log(
    Object.entries(env)
      .map(([name, origin]) => `${name}=${origin}`)
      .join("\n"),
  );
  if (command.length === 0) return new Promise(() => setInterval(() => {}, 1 << 30));
  child = spawn(command[0], command.slice(1), { stdio: "inherit", env: { ...process.env, ...env } });
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject).once("exit", (code) => resolve(code ?? 1));
    });
  } finally {
    await stopAll();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Not awaited: models.mjs imports this file, and would wait for it for ever.
  main(process.argv.slice(2)).then(
    (status) => {
      process.exitCode = status;
    },
    (error) => {
      console.error(error.message);
      process.exitCode = 1;
    },
  );
}
