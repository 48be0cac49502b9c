/**
 * Runs a command beside a private Redis and PostgreSQL: `node scripts/services/start.mjs -- npm test`. On Debian
 * what is missing is installed first. The command finds them in REDIS_TEST_URL and POSTGRES_TEST_URL, and its
 * exit status is this program's.
 */
import { spawn, spawnSync } from "node:child_process";
import { findProgram, startPostgres, startRedis } from "./servers.mjs";

const command = process.argv.slice(process.argv.indexOf("--") + 1);
if (!process.argv.includes("--") || command.length === 0) {
  console.error("usage: node scripts/services/start.mjs -- COMMAND...");
  process.exit(2);
}

install({ "redis-server": "redis-server", initdb: "postgresql", strace: "strace" });
const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
const environment = { ...process.env };
if (redis !== null) environment.REDIS_TEST_URL = redis.url;
else console.warn("No redis-server: its tests are skipped.");
if (postgres !== null) environment.POSTGRES_TEST_URL = postgres.url;
else console.warn("No PostgreSQL: its tests are skipped.");

const child = spawn(command[0], command.slice(1), { stdio: "inherit", env: environment });
const forward = (signal) => child.kill(signal);
process.on("SIGINT", forward);
process.on("SIGTERM", forward);
process.exitCode = await new Promise((resolve) => {
  child.once("error", (error) => {
    console.error(error.message);
    resolve(127);
  });
  child.once("exit", (code) => resolve(code ?? 1));
});
await Promise.all([redis?.stop(), postgres?.stop()]);

/** Packages by the program they bring. */
function install(packages) {
  const missing = Object.keys(packages).filter((program) => findProgram(program) === null);
  if (missing.length === 0 || findProgram("apt-get") === null || process.getuid?.() !== 0) return;
  // Debian would start a server of the system's own at installation; its postgresql-common asks this file.
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const run = (...words) => spawnSync("apt-get", words, { stdio: "inherit", env: environment }).status === 0;
  const names = missing.map((program) => packages[program]);
  if (!run("update", "-q") || !run("install", "-q", "-y", "--no-install-recommends", ...names)) {
    console.warn(`Installing ${names.join(" ")} failed.`);
  }
}
