/** What is going on at this moment. */
import { h, setText } from "../dom.js";
import { clock, count, duration, UNKNOWN } from "../format.js";
import { quantile } from "../series.js";
import { table } from "../table.js";
import { tiles } from "../tiles.js";

/** @typedef {import("../../../activity.js").RunningCall} RunningCall */

/** Rows; more are counted. */
const MOST = 50;

/** @type {import("../panel.js").Panel} */
export default {
  title: "Live requests",
  place: 10,
  wide: true,
  mount(body) {
    const figures = tiles([
      "Running",
      "Waiting for their turn",
      "Calls",
      "Failed",
      "Median time",
      "99 of 100 within",
      "Reloads",
    ]);
    const more = h("p", { class: "note" });
    let now = 0;
    /** @type {ReturnType<typeof table<RunningCall>>} */
    const calls = table({
      caption: "Requests that run or wait, the oldest first",
      columns: [
        { title: "Began", text: ({ startedAt }) => clock(startedAt) },
        { title: "Model", text: ({ model }) => model },
        { title: "Route", text: ({ path }) => path },
        { title: "State", text: ({ phase }) => phase },
        { title: "Window", numeric: true, text: ({ numCtx }) => count(numCtx) },
        { title: "Prompt tokens", numeric: true, text: ({ promptTokens }) => count(promptTokens) },
        { title: "Template", text: ({ templateId }) => templateId ?? UNKNOWN },
        {
          title: "For",
          numeric: true,
          text: (call) => duration(Math.max(0, now - Date.parse(call.startedAt))),
        },
      ],
      key: ({ id }) => id,
      empty: "No request is running.",
    });
    // Of a height of its own: the page would jump whenever the last call ends.
    body.append(figures.element, h("div", { class: "steady" }, calls.element), more);
    return (view) => {
      const { live, span } = view;
      now = view.now;
      const total = live.series.total(span.spanMs, now);
      figures.show([
        count(live.running.size),
        count(live.queue.waiting),
        count(total.calls),
        count(total.errors),
        duration(quantile(total.duration, 0.5)),
        duration(quantile(total.duration, 0.99)),
        count(total.reloads),
      ]);
      calls.show([...live.running.values()].slice(0, MOST));
      const left = live.running.size - MOST;
      setText(
        more,
        `Figures of ended calls are of the last ${span.name}.${left > 0 ? ` ${count(left)} more are running.` : ""}`,
      );
    };
  },
};
