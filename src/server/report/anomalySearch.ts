/** `GET /optimization/anomalies`: what was out of the ordinary in the last days. */
import { AnomalyDetector } from "../../analysis/anomalies.js";
import { startPace } from "../../analysis/pace.js";
import type { Anomalies, Anomaly, AnomalyOptions } from "../../analysis/types.js";
import type { RequestRecord } from "../../records.js";

/** Anomalies that are told, the newest. */
const MOST = 1_000;

/**
 * As `anomaliesOf`, while the event loop runs in between.
 *
 * @throws OptimizerError `OPTION_INVALID`
 */
export async function searchAnomalies(
  requests: AsyncIterable<RequestRecord>,
  options: AnomalyOptions,
): Promise<Anomalies & { readonly count: number }> {
  const detector = new AnomalyDetector(options);
  const pace = startPace();
  let anomalies: Anomaly[] = [];
  let count = 0;
  for await (const request of requests) {
    const found = detector.take(request, options.now);
    count += found.length;
    anomalies.push(...found);
    if (anomalies.length > 2 * MOST) anomalies = anomalies.slice(-MOST);
    if (pace.isDue()) await pace.pause();
  }
  return { count, anomalies: anomalies.slice(-MOST), ...detector.state() };
}
