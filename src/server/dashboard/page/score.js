/** The efficiency score, how it is made up, and what cost it points. */
import { h, setText } from "./dom.js";
import { clock, count, percent, plural } from "./format.js";

/** @typedef {import("../../../analysis/types.js").Report} Report */

/** @returns {{ element: HTMLElement, show(report: Report): void }} */
export function score() {
  const value = h("b");
  const unit = h("span");
  const fill = h("span");
  const parts = h("dl", { class: "facts" });
  const formula = h("p", { class: "note" });
  const findings = h("ul", { class: "advice" });
  return {
    element: h(
      "div",
      {},
      h("h3", {}, "Efficiency"),
      h("p", { class: "score" }, value, " ", unit),
      h("div", { class: "bar", "aria-hidden": "true" }, fill),
      parts,
      formula,
      findings,
    ),
    show({ summary: { efficiencyScore }, caches: { hitRate }, findings: found }) {
      const isKnown = efficiencyScore.enough;
      setText(value, isKnown ? count(efficiencyScore.value) : "");
      setText(unit, isKnown ? "of 100" : efficiencyScore.text);
      fill.style.width = isKnown ? `${efficiencyScore.value}%` : "0";
      const rows = isKnown
        ? [
            ["Base", count(efficiencyScore.base)],
            [
              "Caches",
              `+${count(efficiencyScore.caches)}: ${hitRate === null ? "none is asked" : `${percent(hitRate)} hits`}`,
            ],
            ["Findings", `${count(efficiencyScore.findings)}: ${plural(found.length, "finding")}`],
          ]
        : [];
      parts.replaceChildren(
        ...rows.flatMap(([name, text]) => [h("dt", {}, name ?? ""), h("dd", {}, text ?? "")]),
      );
      setText(formula, isKnown ? `${efficiencyScore.formula}.` : "");
      findings.replaceChildren(
        ...found.map(({ text, firstAt, lastAt }) =>
          h("li", {}, text, h("span", { class: "note" }, span(clock(firstAt), clock(lastAt)))),
        ),
      );
    },
  };
}

/**
 * @param {string} from
 * @param {string} to
 */
function span(from, to) {
  return from === to ? from : `${from} to ${to}`;
}
