/** How long calls take, over time. */
import { chart } from "../chart.js";
import { h } from "../dom.js";
import { duration } from "../format.js";
import { quantile } from "../series.js";

const SHARES = [0.5, 0.9, 0.99];
const LINES = [
  { label: "p50", color: "first" },
  { label: "p90", color: "second", dash: [8, 4] },
  { label: "p99", color: "third", dash: [2, 3] },
];

/** @type {import("../panel.js").Panel} */
export default {
  title: "Latency",
  place: 20,
  wide: true,
  mount(body) {
    const whole = chart({ title: "Response time", lines: LINES, format: duration });
    const first = chart({ title: "Time to first token", lines: LINES, format: duration });
    body.append(
      h(
        "div",
        { class: "beside" },
        h("div", {}, h("h3", {}, "Response time"), whole.element),
        h("div", {}, h("h3", {}, "Time to first token"), first.element),
      ),
      h("p", { class: "note" }, "p90: 90 of 100 calls took no longer. Figures are at most 2.5 % off."),
    );
    return ({ live, span, now }) => {
      const points = live.series.points(span.spanMs, span.stepMs, now);
      whole.show(
        points.map(({ at, duration: times }) => ({
          at,
          values: SHARES.map((share) => quantile(times, share)),
        })),
      );
      first.show(
        points.map(({ at, firstToken }) => ({
          at,
          values: SHARES.map((share) => quantile(firstToken, share)),
        })),
      );
    };
  },
};
