/** How much is read and written. */
import { chart } from "../chart.js";
import { count, percent } from "../format.js";
import { tiles } from "../tiles.js";

/** @type {import("../panel.js").Panel} */
export default {
  title: "Tokens",
  place: 40,
  mount(body) {
    const figures = tiles(["Prompt tokens", "From the prefix cache", "Output tokens"]);
    const rates = chart({
      title: "Tokens a minute",
      lines: [
        { label: "prompt", color: "first" },
        { label: "output", color: "second", dash: [8, 4] },
      ],
      format: count,
    });
    body.append(figures.element, rates.element);
    return ({ live, span, now }) => {
      const { promptTokens, cachedTokens, outputTokens } = live.series.total(span.spanMs, now);
      figures.show([
        count(promptTokens),
        percent(promptTokens > 0 ? cachedTokens / promptTokens : null),
        count(outputTokens),
      ]);
      const perMinute = 60_000 / span.stepMs;
      const points = live.series.points(span.spanMs, span.stepMs, now);
      rates.show(
        points.map((point) => ({
          at: point.at,
          values: [point.promptTokens * perMinute, point.outputTokens * perMinute],
        })),
      );
    };
  },
};
