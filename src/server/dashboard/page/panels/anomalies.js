/** What was out of the ordinary in the last days: when, how far, and why. */
import { h, setText } from "../dom.js";
import { clock, inWords, plural } from "../format.js";
import { reported } from "../panel.js";
import { table } from "../table.js";

/** @typedef {import("../../../../analysis/types.js").Anomaly} Anomaly */
/** @typedef {import("../../../../analysis/types.js").Anomalies & { readonly count: number, readonly open: readonly Anomaly[] }} Found */

/** Rows, and groups that are named. */
const MOST = 50;
const MOST_GROUPS = 5;

/** @type {import("../panel.js").Panel} */
export default {
  title: "Anomalies",
  place: 100,
  wide: true,
  mount(body, server) {
    /** @type {Set<Anomaly>} the latest of each alert that is not over */
    let open = new Set();
    /** @type {ReturnType<typeof table<Anomaly>>} */
    const anomalies = table({
      caption: "The latest first",
      columns: [
        { title: "Began", text: ({ at }) => clock(at) },
        { title: "What happened", long: true, text: ({ text }) => text },
        { title: "Kind", text: (anomaly) => kind(anomaly, open.has(anomaly)) },
        { title: "Cause", text: ({ cause }) => (cause === null ? "not known" : inWords(cause)) },
        { title: "Size", numeric: true, text: ({ ratio }) => `${Number(ratio.toPrecision(2))} x` },
      ],
      key: ({ key, noticedAt }) => `${noticedAt} ${key}`,
      empty: "Nothing was out of the ordinary.",
    });
    const unjudged = h("p", { class: "note" });
    body.append(anomalies.element, unjudged);
    return reported(
      server,
      body,
      ({ days }) => `/optimization/anomalies?days=${days}`,
      (/** @type {Found} */ found) => {
        const latest = found.anomalies.toSorted((a, b) => (a.at < b.at ? 1 : -1)).slice(0, MOST);
        const ofKey = found.open.map(({ key }) => latest.find((anomaly) => anomaly.key === key));
        open = new Set(ofKey.filter((anomaly) => anomaly !== undefined));
        anomalies.show(latest);
        const few = found.groups.flatMap(({ model, templateId, judged }) =>
          judged.enough ? [] : [`${model}${templateId === null ? "" : `, ${templateId}`}: ${judged.text}`],
        );
        const more = few.length - MOST_GROUPS;
        setText(
          unjudged,
          few.length > 0
            ? `Not judged yet: ${few.slice(0, MOST_GROUPS).join("; ")}${more > 0 ? `; and ${more} more` : ""}.`
            : "",
        );
        return found.count > latest.length
          ? `The latest ${latest.length} of ${plural(found.count, "anomaly", "anomalies")}.`
          : "";
      },
    );
  },
};

/**
 * @param {Anomaly} anomaly
 * @param {boolean} isOpen
 */
function kind({ kind: name, direction }, isOpen) {
  return `${inWords(name)}${direction === "better" ? " for the better" : ""}${isOpen ? ", open" : ""}`;
}
