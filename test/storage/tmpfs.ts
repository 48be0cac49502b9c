/** A small disk of one's own, where the machine permits mounting. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export function mountTmpfs(folder: string): boolean {
  return spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).status === 0;
}

export function remountReadOnly(folder: string): void {
  spawnSync("mount", ["-o", "remount,ro", folder]);
}

export function unmount(folder: string): void {
  spawnSync("umount", ["--lazy", folder]);
}

export function canMountTmpfs(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "optimizer-mount-"));
  const can = mountTmpfs(folder);
  if (can) spawnSync("umount", [folder]);
  rmdirSync(folder);
  return can;
}
