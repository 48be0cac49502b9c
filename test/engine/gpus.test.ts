import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parseNvidia, sampleGpus } from "../../src/engine/gpus.js";
import { HostSampler } from "../../src/engine/hostSampler.js";

const MIB = 2 ** 20;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "optimizer-gpus-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("each line of NVIDIA's tool is a card, and what it does not tell is not known", () => {
  expect(
    parseNvidia("NVIDIA A100-SXM4, 93, 40536, 81920, 312.40\nNVIDIA A2, [N/A], 0, 15356, [N/A]\n"),
  ).toEqual([
    {
      name: "NVIDIA A100-SXM4",
      usePercent: 93,
      memoryUsedBytes: 40_536 * MIB,
      memoryTotalBytes: 81_920 * MIB,
      watts: 312.4,
    },
    { name: "NVIDIA A2", usePercent: null, memoryUsedBytes: 0, memoryTotalBytes: 15_356 * MIB, watts: null },
  ]);
  expect(parseNvidia("No devices were found\n")).toEqual([]);
});

/** A tool of its own stands in: this machine may have no card. */
async function toolThat(script: string): Promise<string> {
  const path = join(folder, "tool");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

test.skipIf(process.platform === "win32")("cards of both makers are told of", async () => {
  const device = join(folder, "card1", "device");
  await mkdir(device, { recursive: true });
  await mkdir(join(folder, "card1-HDMI-A-1"));
  await mkdir(join(folder, "card0", "device"), { recursive: true });
  await writeFile(join(device, "gpu_busy_percent"), "37\n");
  await writeFile(join(device, "mem_info_vram_used"), "1024\n");
  await writeFile(join(device, "mem_info_vram_total"), "4096\n");
  const tool = await toolThat(`echo "NVIDIA A2, 5, 1, 2, 10.5"`);

  expect(await sampleGpus(tool, folder)).toEqual([
    { name: "NVIDIA A2", usePercent: 5, memoryUsedBytes: MIB, memoryTotalBytes: 2 * MIB, watts: 10.5 },
    { name: "card1", usePercent: 37, memoryUsedBytes: 1_024, memoryTotalBytes: 4_096, watts: null },
  ]);
});

test("a machine that tells of no card has none, also when the tool fails", async () => {
  expect(await sampleGpus(join(folder, "none"), join(folder, "nowhere"))).toEqual([]);
  expect(await sampleGpus(await toolThat("exit 9"), folder)).toEqual([]);
});

test("the machine's sample has its cards, and where there are none they are looked for once", async () => {
  let now = 0;
  let asked = 0;
  const card = { name: "a", usePercent: 1, memoryUsedBytes: 1, memoryTotalBytes: 2, watts: null };
  const withCard = new HostSampler(
    () => now,
    async () => [card],
  );
  const without = new HostSampler(
    () => now,
    async () => {
      asked++;
      return [];
    },
  );
  withCard.sample();
  without.sample();
  await vi.waitFor(() => expect(withCard.sample()?.gpus).toEqual([card]), 10_000);
  await vi.waitFor(() => expect(without.sample()).toBeDefined(), 10_000);
  now = 10_000;
  without.sample();

  expect(without.sample()).not.toHaveProperty("gpus");
  expect(asked).toBe(1);
});
