/** Every command, by name. */
import type { CommandTable } from "./commandLine.js";

export const COMMANDS: CommandTable = {
  serve: {
    summary: "Ollama's API on another port, with the window of each call decided",
    load: async () => {
      const { SERVE_USAGE, serve } = await import("./serve.js");
      return { usage: SERVE_USAGE, run: serve };
    },
  },
  doctor: {
    summary: "what this machine's Ollama can do, what is wrong, and what to do about it",
    load: () => import("./doctor.js"),
  },
  calibrate: {
    summary: "measures a model's memory, loads and prompt rates, for the optimizer to decide by",
    load: () => import("./calibrate.js"),
  },
  demo: {
    summary: "the same calls with and without the optimizer, and what they cost",
    load: async () => {
      const { DEMO_USAGE, demo } = await import("./demo.js");
      return { usage: DEMO_USAGE, run: demo };
    },
  },
  completion: {
    summary: "completes commands and flags in bash, zsh and fish",
    load: () => import("./completion.js"),
  },
};
