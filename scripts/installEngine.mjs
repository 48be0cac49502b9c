#!/usr/bin/env node
/**
 * Installs node-llama-cpp for real inference in the test server and the demo: 85 MB instead of the 725 MB of a
 * plain install, in a cache folder of its own, so that `npm ci` stays small and nothing in node_modules changes.
 * Does nothing when it is there. Prints the folder.
 *
 *   node scripts/installEngine.mjs
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const version = "3.22.1";
const platforms = {
  "linux x64": "linux-x64",
  "linux arm64": "linux-arm64",
  "linux arm": "linux-armv7l",
  "darwin x64": "mac-x64",
  "darwin arm64": "mac-arm64-metal",
  "win32 x64": "win-x64",
  "win32 arm64": "win-arm64",
};
const platform = platforms[`${process.platform} ${process.arch}`];
if (!platform) {
  console.error(`node-llama-cpp has no prebuilt engine for ${process.platform} ${process.arch}.`);
  process.exit(1);
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "node_modules/.cache/langchain-ollama-optimizer", `node-llama-cpp-${version}`);
const complete = join(folder, "node_modules/node-llama-cpp/dist/index.js");
if (!existsSync(complete)) {
  const beside = `${folder}.${process.pid}`;
  mkdirSync(beside, { recursive: true });
  writeFileSync(
    join(beside, "package.json"),
    JSON.stringify({
      private: true,
      dependencies: { "node-llama-cpp": version, [`@node-llama-cpp/${platform}`]: version },
    }),
  );
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const flags = [
    "install",
    "--ignore-scripts",
    "--omit=optional",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  const { status } = spawnSync(npm, flags, {
    cwd: beside,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    rmSync(beside, { recursive: true, force: true });
    console.error(`npm could not install node-llama-cpp ${version}.`);
    process.exit(1);
  }
  // Another process may have been quicker; either copy will do.
  try {
    renameSync(beside, folder);
  } catch {
    rmSync(beside, { recursive: true, force: true });
  }
}
console.log(folder);
