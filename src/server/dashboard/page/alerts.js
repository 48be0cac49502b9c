/** Alerts above the panels: each told once, politely, and shown until a while after it is over. */
import { h, setText } from "./dom.js";
import { clock, plural } from "./format.js";

/** Lines; more are counted. */
const MOST = 3;
const LINGERS_MS = 600_000;

/**
 * @param {HTMLElement} region a live region
 * @returns {(view: Pick<import("./panel.js").View, "live" | "now">) => void}
 */
export function alertLines(region) {
  /** @type {Map<string, { line: HTMLElement, state: HTMLElement, time: HTMLElement }>} */
  const lines = new Map();
  const more = h("p", { class: "when" });
  return ({ live, now }) => {
    const all = [...live.alerts.values()]
      .filter(({ overAt }) => overAt === null || now - Date.parse(overAt) < LINGERS_MS)
      .sort((a, b) => (a.since < b.since ? -1 : 1));
    const told = all.slice(-MOST);
    const kept = new Set(told.map(idOf));
    for (const [id, { line }] of lines) {
      if (kept.has(id)) continue;
      line.remove();
      lines.delete(id);
    }
    for (const alert of told) {
      let shown = lines.get(idOf(alert));
      if (!shown) {
        const [state, time] = [h("strong"), h("span", { class: "when" })];
        const line = h("p", { "aria-atomic": "true" }, state, " ", time, " ", h("span", {}, alert.text));
        shown = { line, state, time };
        lines.set(idOf(alert), shown);
        region.prepend(line);
      }
      shown.line.dataset.state = alert.overAt === null ? "open" : "over";
      setText(shown.state, alert.overAt === null ? "Alert" : "Over");
      setText(
        shown.time,
        alert.overAt === null ? clock(alert.since) : `${clock(alert.since)} to ${clock(alert.overAt)}`,
      );
    }
    const left = all.length - told.length;
    if (left === 0) more.remove();
    else if (!more.isConnected) region.append(more);
    setText(more, `And ${plural(left, "earlier one")}.`);
  };
}

/** @param {import("./liveState.js").Told} alert raised anew, it is another line */
function idOf({ key, since }) {
  return `${since} ${key}`;
}
