/** The prompt shapes that come again and again. */
import { h, setText } from "../dom.js";
import { clock, count, duration, percent } from "../format.js";
import { polled } from "../panel.js";
import { table } from "../table.js";

/** @typedef {import("../../../../optimizer/templateStatistics.js").TemplateStatistics} TemplateStatistics */
/** @typedef {{ readonly templates: readonly TemplateStatistics[], readonly total: number }} Templates */

const EVERY_MS = 5_000;
/** Rows. */
const MOST = 20;

/** @type {import("../panel.js").Panel} */
export default {
  title: "Templates",
  place: 60,
  wide: true,
  mount(body, server) {
    /** @type {ReturnType<typeof table<TemplateStatistics>>} */
    const templates = table({
      caption: "Recurring prompt shapes, the most frequent first",
      columns: [
        { title: "Template", text: ({ templateId }) => templateId },
        { title: "What recurs", text: ({ scope }) => SCOPES[scope] ?? scope },
        { title: "Calls", numeric: true, text: ({ observations }) => count(observations) },
        { title: "Prompt tokens, mean", numeric: true, text: ({ promptTokens }) => count(promptTokens.mean) },
        { title: "p99", numeric: true, text: ({ promptTokens }) => count(promptTokens.p99) },
        { title: "Output tokens, p50", numeric: true, text: ({ outputTokens }) => count(outputTokens.p50) },
        { title: "p99", numeric: true, text: ({ outputTokens }) => count(outputTokens.p99) },
        { title: "Time, p50", numeric: true, text: ({ totalMs }) => duration(totalMs.p50) },
        { title: "p99", numeric: true, text: ({ totalMs }) => duration(totalMs.p99) },
        { title: "Failed", numeric: true, text: ({ errorRate }) => percent(errorRate) },
        { title: "Last seen", text: ({ lastSeen }) => clock(lastSeen) },
      ],
      key: ({ templateId }) => templateId,
      empty: "No prompt came a second time yet.",
    });
    const note = h("p", { class: "note" });
    body.append(templates.element, note);
    return polled(
      server,
      `/optimization/templates?limit=${MOST}`,
      EVERY_MS,
      (/** @type {Templates} */ answer) => {
        templates.show(answer.templates);
        setText(note, answer.total > MOST ? `${MOST} of ${count(answer.total)}.` : "");
      },
      (why) => setText(note, why),
    );
  },
};

/** @type {Readonly<Record<string, string>>} */
const SCOPES = { task: "the task", system: "the system prompt", length: "the length only" };
