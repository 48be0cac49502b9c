/** Load and memory of this machine's GPUs, where the system tells: NVIDIA's own tool, the kernel's files for AMD. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RequestRecord } from "../records.js";

export type GpuSample = NonNullable<NonNullable<RequestRecord["host"]>["gpus"]>[number];

const QUERY = ["name", "utilization.gpu", "memory.used", "memory.total", "power.draw"];
const TIMEOUT_MS = 2_000;
const MIB = 2 ** 20;
const DEVICES = "/sys/class/drm";

/**
 * Every GPU that the system tells of; none where it tells of none. Takes some 30 ms of another process, so it is
 * for the background.
 *
 * @param tool how NVIDIA's tool is called
 * @param devices where the kernel lists graphics devices
 */
export async function sampleGpus(
  tool: string = "nvidia-smi",
  devices: string = DEVICES,
): Promise<readonly GpuSample[]> {
  const [nvidia, amd] = await Promise.all([nvidiaGpus(tool), amdGpus(devices)]);
  return [...nvidia, ...amd];
}

function nvidiaGpus(tool: string): Promise<readonly GpuSample[]> {
  const query = [`--query-gpu=${QUERY.join(",")}`, "--format=csv,noheader,nounits"];
  return new Promise((resolve) => {
    execFile(tool, query, { timeout: TIMEOUT_MS, windowsHide: true }, (error, output) => {
      resolve(error ? [] : parseNvidia(output));
    });
  });
}

/**
 * Lines of `nvidia-smi --format=csv,noheader,nounits`: name, use in percent, MiB used, MiB in all, watts. What a card
 * does not tell is "[N/A]".
 *
 * @example parseNvidia("NVIDIA A2, 12, 1024, 2048, [N/A]")[0].memoryUsedBytes // 1073741824
 */
export function parseNvidia(output: string): readonly GpuSample[] {
  return output
    .split("\n")
    .map((line) => line.split(", "))
    .filter((fields) => fields.length === QUERY.length)
    .map(([name = "", use, used, total, watts]) => ({
      name,
      usePercent: number(use),
      memoryUsedBytes: MIB * (number(used) ?? 0),
      memoryTotalBytes: MIB * (number(total) ?? 0),
      watts: number(watts),
    }))
    .filter(({ memoryTotalBytes }) => memoryTotalBytes > 0);
}

async function amdGpus(devices: string): Promise<readonly GpuSample[]> {
  const cards = (await readdir(devices).catch(() => [])).filter((name) => /^card\d+$/.test(name));
  const samples = await Promise.all(cards.map((card) => amdGpu(card, join(devices, card, "device"))));
  return samples.filter((sample) => sample !== null);
}

async function amdGpu(name: string, folder: string): Promise<GpuSample | null> {
  const read = async (file: string): Promise<number | null> =>
    number(await readFile(join(folder, file), "utf8").catch(() => undefined));
  const total = await read("mem_info_vram_total");
  if (total === null || total === 0) return null;
  return {
    name,
    usePercent: await read("gpu_busy_percent"),
    memoryUsedBytes: (await read("mem_info_vram_used")) ?? 0,
    memoryTotalBytes: total,
    watts: null,
  };
}

function number(text: string | undefined): number | null {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isFinite(value) && value >= 0 ? value : null;
}
