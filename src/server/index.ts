/** Ollama's API for any program, with the window decided. */
export { createServerApp } from "./app.js";
export { type Listener, type ListenOptions, listen } from "./listen.js";
export type { ServerAppOptions } from "./options.js";
export type { ReportingOptions } from "./report/watch.js";
