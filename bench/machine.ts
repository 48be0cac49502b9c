/** The machine that figures were measured on. */
import { arch, cpus, loadavg, platform, totalmem } from "node:os";

export function machine(): Record<string, string | number> {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${arch()}`,
    node: process.version,
    /** Of the last minute: above the number of cores, times are those of a busy machine. */
    load: Math.round(10 * loadavg()[0]!) / 10,
  };
}
