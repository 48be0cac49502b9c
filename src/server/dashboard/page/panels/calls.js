/** The calls of the last days, in all and by model. */
import { h, setText } from "../dom.js";
import { count, duration, percent, UNKNOWN } from "../format.js";
import { reported } from "../panel.js";
import { table } from "../table.js";
import { tiles } from "../tiles.js";

/** @typedef {import("../../../report/callFigures.js").CallFigures & { readonly ratings: import("../../../report/ratings.js").RatingCounts }} Calls */
/** @typedef {Calls["models"][number]} ModelCalls */

/** @type {import("../panel.js").Panel} */
export default {
  title: "Calls by model",
  place: 90,
  wide: true,
  mount(body, server) {
    const figures = tiles([
      "Calls",
      "Failed",
      "Median time",
      "99 of 100 within",
      "Median to first token",
      "Output tokens a second",
      "Reloads",
      "Rated good, bad",
    ]);
    /** @type {ReturnType<typeof table<ModelCalls>>} */
    const models = table({
      caption: "Most calls first",
      columns: [
        { title: "Model", text: ({ model }) => model },
        { title: "Calls", numeric: true, text: ({ calls }) => count(calls) },
        { title: "Share", numeric: true, text: ({ share }) => percent(share) },
        { title: "Failed", numeric: true, text: ({ errors }) => count(errors) },
        { title: "Time, p50", numeric: true, text: ({ responseMs }) => duration(responseMs?.p50) },
        { title: "p99", numeric: true, text: ({ responseMs }) => duration(responseMs?.p99) },
        { title: "Tokens a second", numeric: true, text: (model) => rate(model) },
        { title: "Prompt tokens", numeric: true, text: ({ promptTokens }) => count(promptTokens) },
        {
          title: "Prefix cache",
          numeric: true,
          text: (model) => percent(model.cachedTokens / model.promptTokens),
        },
        { title: "Output tokens", numeric: true, text: ({ outputTokens }) => count(outputTokens) },
        { title: "Reloads", numeric: true, text: ({ reloads }) => count(reloads) },
      ],
      key: ({ model }) => model,
      empty: "No calls in this time.",
    });
    const errors = h("p", { class: "note" });
    body.append(figures.element, models.element, errors);
    return reported(
      server,
      body,
      ({ days }) => `/optimization/metrics?days=${days}`,
      (/** @type {Calls} */ all) => {
        figures.show([
          count(all.calls),
          count(all.errors),
          duration(all.responseMs?.p50),
          duration(all.responseMs?.p99),
          duration(all.timeToFirstTokenMs?.p50),
          rate(all),
          count(all.reloads),
          `${count(all.ratings.good)}, ${count(all.ratings.bad)}`,
        ]);
        models.show(all.models);
        const codes = Object.entries(all.errorsByCode).map(([code, calls]) => `${code} ${count(calls)}`);
        setText(errors, codes.length > 0 ? `Failed with ${codes.join(", ")}.` : "");
        return all.refused > 0 ? `${count(all.refused)} with a time that cannot be true were left out.` : "";
      },
    );
  },
};

/** @param {Pick<Calls, "tokensPerSecond">} calls */
function rate({ tokensPerSecond }) {
  return tokensPerSecond ? tokensPerSecond.p50.toFixed(1) : UNKNOWN;
}
