/** What a request log says, as pure functions over its records: no I/O, no clock, the present moment is handed in. */
export { AnomalyDetector, anomaliesOf } from "./anomalies.js";
export { costsOf } from "./costs.js";
export { type ForecastOptions, forecastOf } from "./forecast.js";
export { type ReportOptions, reportOf } from "./report.js";
export { reportHtml } from "./reportHtml.js";
export { reportMarkdown } from "./reportMarkdown.js";
export { type TrendOptions, trendOf } from "./trend.js";
export type * from "./types.js";
