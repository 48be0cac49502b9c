/** `langchain-ollama-optimizer/monitor`: how calls go, live, and news of what is out of the ordinary. */
export type { Alert } from "./alertState.js";
export { type AlertOptions, Alerts } from "./alerts.js";
export { Monitor, type MonitorOptions } from "./monitor.js";
export type { Last, Span } from "./rings.js";
export type { MonitorScope } from "./series.js";
export type { Level, MonitorFigures, Spread } from "./tally.js";
export type { Webhook } from "./webhook.js";
