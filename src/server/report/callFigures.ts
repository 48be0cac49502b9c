/** `GET /optimization/metrics`: figures of the calls of the last days, in all and by model. */
import { startPace } from "../../analysis/pace.js";
import { pointOf } from "../../monitor/point.js";
import { bucketsOf, type MonitorFigures, Tally } from "../../monitor/tally.js";
import type { RequestRecord } from "../../records.js";

export interface CallFigures extends MonitorFigures {
  /** Failed calls by error code. */
  readonly errorsByCode: Readonly<Record<string, number>>;
  /** Most calls first. */
  readonly models: readonly (MonitorFigures & {
    readonly model: string;
    /** Of all calls, 0..1. */
    readonly share: number;
  })[];
  /** Requests with a time or duration that cannot be true. */
  readonly refused: number;
}

/**
 * One pass; the event loop runs in between.
 *
 * @param now milliseconds since 1970
 */
export async function callFigures(requests: AsyncIterable<RequestRecord>, now: number): Promise<CallFigures> {
  const all = new Tally(0);
  const byModel = new Map<string, Tally>();
  const errorsByCode: Record<string, number> = {};
  const pace = startPace();
  let refused = 0;
  for await (const request of requests) {
    const point = pointOf(request, Date.parse(request.at), now);
    if (point === null) {
      refused++;
      continue;
    }
    const buckets = bucketsOf(point);
    let model = byModel.get(request.model);
    if (!model) {
      model = new Tally(0);
      byModel.set(request.model, model);
    }
    all.add(point, buckets, "all");
    model.add(point, buckets, "all");
    if (request.error !== null) errorsByCode[request.error] = (errorsByCode[request.error] ?? 0) + 1;
    if (pace.isDue()) await pace.pause();
  }
  const figures = all.figures();
  const models = [...byModel]
    .map(([model, tally]) => ({ model, ...tally.figures() }))
    .map((model) => ({ ...model, share: model.calls / figures.calls }))
    .sort((a, b) => b.calls - a.calls);
  return { ...figures, errorsByCode, models, refused };
}
