/** How well the server does, what to do about it, and what was done. */
import { h } from "../dom.js";
import { clock, count, duration, plural } from "../format.js";
import { reported } from "../panel.js";
import { score } from "../score.js";
import { steps } from "../steps.js";
import { table } from "../table.js";
import { trends } from "../trends.js";

/** @typedef {import("../../../../analysis/types.js").Report} Report */
/** @typedef {Omit<Report["replay"]["counterfactuals"][number], "policy" | "loadsAvoided"> & { readonly policy: string, readonly loadsAvoided: number | null }} Loads */

/** @type {Readonly<Record<string, string>>} */
const POLICIES = { perRequest: "sized by request", stickyDoubling: "doubled when needed" };

/** @type {import("../panel.js").Panel} */
export default {
  title: "Report",
  place: 80,
  wide: true,
  mount(body, server) {
    const points = score();
    const advice = h("ul", { class: "advice" });
    const course = trends();
    /** @type {ReturnType<typeof table<Loads>>} */
    const loads = table({
      caption: "The same calls with the window sized otherwise",
      columns: [
        { title: "Window", text: ({ policy }) => POLICIES[policy] ?? policy },
        { title: "Loads", numeric: true, text: (row) => count(row.loads) },
        { title: "Avoided", numeric: true, text: ({ loadsAvoided }) => count(loadsAvoided) },
        { title: "Time saved", numeric: true, text: ({ timeSavedMs }) => signed(timeSavedMs) },
        { title: "That is", long: true, text: ({ rule }) => rule },
      ],
      key: ({ policy }) => policy,
      empty: "No call of known size.",
    });
    const turned = steps(server);
    body.append(
      h(
        "div",
        { class: "beside" },
        points.element,
        h("div", {}, h("h3", {}, "What to do"), advice),
        ...course.elements,
        h("div", {}, h("h3", {}, "Loads avoided"), loads.element),
        turned.element,
      ),
    );
    return reported(
      server,
      body,
      ({ days }) => `/optimization/report?days=${days}`,
      (/** @type {Report} */ report) => {
        points.show(report);
        const given = report.recommendations.map(({ text, because }) =>
          h("li", {}, text, h("span", { class: "note" }, because)),
        );
        advice.replaceChildren(
          ...(given.length > 0 ? given : [h("li", {}, "Nothing: no finding asks for it.")]),
        );
        course.show(report);
        const { replay } = report;
        const happened = {
          policy: "as it was",
          rule: "what happened",
          loads: replay.loads,
          loadsAvoided: null,
          timeSavedMs: null,
        };
        loads.show(replay.calls > 0 ? [happened, ...replay.counterfactuals] : []);
        turned.show(report.applied);
        return `${plural(report.summary.calls, "call")} from ${clock(report.from)} to ${clock(report.to)}, as of ${clock(report.madeAt)}.`;
      },
    );
  },
};

/** @param {number | null} ms */
function signed(ms) {
  return ms !== null && ms < 0 ? `-${duration(-ms)}` : duration(ms);
}
