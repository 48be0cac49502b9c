/** What loading models anew costs. */
import { h, setText } from "../dom.js";
import { clock, count, duration, percent } from "../format.js";
import { table } from "../table.js";
import { tiles } from "../tiles.js";

/** @typedef {import("../../../activity.js").FinishedCall} FinishedCall */

/** Rows. */
const MOST = 10;

/** @type {import("../panel.js").Panel} */
export default {
  title: "Reloads",
  place: 50,
  mount(body) {
    const figures = tiles([
      "Reloads",
      "Calls for one reload",
      "Time spent on them",
      "Share of all call time",
    ]);
    /** @type {ReturnType<typeof table<FinishedCall>>} */
    const reloads = table({
      caption: "The latest reloads and what each took",
      columns: [
        { title: "At", text: ({ startedAt }) => clock(startedAt) },
        { title: "Model", text: ({ model }) => model },
        { title: "New window", numeric: true, text: ({ numCtx }) => count(numCtx) },
        { title: "Took", numeric: true, text: ({ loadMs }) => duration(loadMs) },
        { title: "Why", long: true, text: ({ reason }) => reason ?? "" },
      ],
      key: ({ id }) => id,
      empty: "No model was reloaded.",
    });
    const note = h("p", { class: "note" });
    body.append(figures.element, reloads.element, note);
    return ({ live, span, now }) => {
      const { calls, reloads: loads, loadMs, callMs } = live.series.total(span.spanMs, now);
      figures.show([
        count(loads),
        count(loads > 0 ? calls / loads : null),
        duration(loadMs),
        percent(callMs > 0 ? loadMs / callMs : null),
      ]);
      reloads.show(
        live
          .ended()
          .filter(({ reloaded }) => reloaded)
          .slice(0, MOST),
      );
      setText(note, `Figures are of the last ${span.name}.`);
    };
  },
};
