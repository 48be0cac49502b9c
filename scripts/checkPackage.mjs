/**
 * Checks what would be published: builds and packs it, asks publint and attw, then installs the package into an
 * empty project beside its peers and imports every subpath there. Needs a registry for the peers.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

const root = dirname(import.meta.dirname);
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const project = mkdtempSync(join(tmpdir(), "package-check-"));

function run(command, args, cwd = root) {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: "pipe", timeout: 180_000 });
  } catch (error) {
    const call = [basename(command), ...args].join(" ");
    console.error(`${call}\n${error.stdout ?? ""}${error.stderr ?? ""}`);
    throw new Error(`${call}: ${error.code ?? `exit ${error.status}`}`);
  }
}

function step(name, check) {
  const told = check();
  console.log(`ok  ${name}${told ? `: ${told}` : ""}`);
  return told;
}

const bin = (name) => join(root, "node_modules", ".bin", name);

try {
  step("build", () => void run(bin("tsdown"), []));
  const packed = step("pack", () => {
    const [{ filename, entryCount, unpackedSize }] = JSON.parse(
      run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project]),
    );
    writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
    console.log(`    ${entryCount} files, ${Math.round(unpackedSize / 1000)} kB`);
    return filename;
  });
  const tarball = join(project, packed);
  step("publint", () => void run(bin("publint"), ["run", tarball, "--strict"]));
  step("attw", () => void run(bin("attw"), [tarball, "--profile", "esm-only", "--format", "ascii"]));

  const peers = Object.keys(manifest.peerDependencies).map(
    (name) => `${name}@${manifest.devDependencies[name]}`,
  );
  step(
    "install",
    () => void run("npm", ["install", "--no-audit", "--no-fund", `./${packed}`, ...peers], project),
  );

  for (const [subpath, entry] of Object.entries(manifest.exports)) {
    if (typeof entry === "string") continue;
    const name = subpath.replace(".", manifest.name);
    step(name, () => {
      for (const file of Object.values(entry)) {
        if (!existsSync(join(project, "node_modules", manifest.name, file))) throw new Error(`no ${file}`);
      }
      // A process of its own: what a subpath needs must not come from another, and nothing may keep it alive.
      const names = run(
        process.execPath,
        ["-e", `import("${name}").then((m) => console.log(Object.keys(m).join(" ")))`],
        project,
      ).trim();
      if (names === "") throw new Error(`${name} exports nothing`);
      return names;
    });
  }
  step("dashboard", () => {
    const paths = ["", "optimization/dashboard/main.js", "optimization/dashboard/uplot.js"];
    const code = `
      const { createServerApp } = await import("${manifest.name}/server");
      const { memoryStore } = await import("${manifest.name}/storage");
      const app = createServerApp({ upstream: "http://127.0.0.1:9", store: memoryStore() });
      for (const path of ${JSON.stringify(paths)}) {
        const reply = await app.request("/" + path, { headers: { accept: "text/html" } });
        if (!reply.ok) throw new Error("/" + path + ": " + reply.status);
      }
      process.exit(0);`;
    run(process.execPath, ["--input-type=module", "-e", code], project);
  });
} catch (error) {
  console.error(`not ok  ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(project, { recursive: true, force: true });
}
