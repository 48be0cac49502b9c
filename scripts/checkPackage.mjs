/**
 * Checks what would be published: builds and packs it, asks publint and attw, then installs the package into an
 * empty project beside its peers and imports every subpath there. Needs a registry for the peers.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bin, manifest, pack, peers, run, step } from "./checkSteps.mjs";

const project = mkdtempSync(join(tmpdir(), "package-check-"));

try {
  step("build", () => void run(bin("tsdown"), []));
  const packed = step("pack", () => {
    const { filename, entryCount, unpackedSize } = pack(project);
    writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
    console.log(`    ${entryCount} files, ${Math.round(unpackedSize / 1000)} kB`);
    return filename;
  });
  const tarball = join(project, packed);
  step("publint", () => void run(bin("publint"), ["run", tarball, "--strict"]));
  step("attw", () => void run(bin("attw"), [tarball, "--profile", "esm-only", "--format", "ascii"]));

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
