/** What checks of the package have in common: steps that say what they found, and commands that say why they failed. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export const root = dirname(import.meta.dirname);
export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Path of a program of the development dependencies. */
export const bin = (name) => join(root, "node_modules", ".bin", name);

/** Runs a command and returns what it wrote. */
export function run(command, args, cwd = root) {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: "pipe", timeout: 180_000 });
  } catch (error) {
    const call = [basename(command), ...args].join(" ");
    console.error(`${call}\n${error.stdout ?? ""}${error.stderr ?? ""}`);
    throw new Error(`${call}: ${error.code ?? `exit ${error.status}`}`);
  }
}

/** Says that a check holds, with what it returned. */
export function step(name, check) {
  const told = check();
  console.log(`ok  ${name}${told ? `: ${told}` : ""}`);
  return told;
}

/** Packs what was built into a folder; name of the tarball and bytes of what it holds. */
export function pack(folder) {
  const [{ filename, entryCount, unpackedSize }] = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder]),
  );
  return { filename, entryCount, unpackedSize };
}

/** The peers at the versions that are developed against, as install commands name them. */
export const peers = Object.keys(manifest.peerDependencies).map(
  (name) => `${name}@${manifest.devDependencies[name]}`,
);
