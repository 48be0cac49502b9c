/** Free memory of this machine against what the models need. */
import type { Memory } from "../machineMemory.js";
import { size } from "../terminal.js";
import { type Finding, finding } from "./finding.js";
import type { KnownModel } from "./models.js";

/** With less than this share free, loads fail or push other programs into the swap. */
const SHORT = 0.1;

/** @param memory null for a server on another machine */
export function memoryFindings(memory: Memory | null, models: readonly KnownModel[]): readonly Finding[] {
  if (!memory) {
    return [
      finding(
        "memory",
        "note",
        "The server runs on another machine, whose free memory cannot be seen from here.",
      ),
    ];
  }
  const { freeBytes, totalBytes } = memory;
  const text = `${size(freeBytes)} of ${size(totalBytes)} main memory are free.`;
  const tooLarge = models.filter(({ model }) => (model.size ?? 0) > freeBytes).map(({ model }) => model.name);
  return [
    freeBytes < SHORT * totalBytes
      ? finding(
          "memory",
          "warning",
          text,
          "Close programs, or unload models that are not needed: ollama ps, ollama stop NAME",
        )
      : finding("memory", "ok", text),
    ...(tooLarge.length > 0
      ? [
          finding(
            "memory",
            "note",
            `Larger than the free main memory: ${tooLarge.join(", ")}.`,
            "Without a GPU that holds them they do not load: use smaller ones or a stronger quantization (q4_K_M).",
          ),
        ]
      : []),
  ];
}
