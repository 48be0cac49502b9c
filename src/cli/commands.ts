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
  inspect: {
    summary: "what was learned and decided, as tables; forget, pin or set what you know better",
    load: () => import("./inspect.js"),
  },
  report: {
    summary: "what the request log says about a period: as text, Markdown, HTML or JSON",
    load: () => import("./report.js"),
  },
  export: {
    summary: "the whole store as one file",
    load: () => import("./exportStore.js"),
  },
  import: {
    summary: "adds an export to a store, here or on a server",
    load: () => import("./importStore.js"),
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
