/** Steps of the auto-optimizer: which ones the figures call for, a button that takes them, and what was taken. */
import { h, setText } from "./dom.js";
import { clock, plural } from "./format.js";
import { table } from "./table.js";

/** @typedef {import("../../../analysis/types.js").AppliedStep} AppliedStep */
/**
 * @typedef {Pick<import("../../../autopilot/index.js").Step, "type" | "action" | "reason" | "expected" | "state">
 *   & { readonly timestamp: string }} Step
 */
/** @typedef {{ readonly optimizations: readonly Step[] }} Run */

const ROUTE = "/optimization/auto-optimize";
/** Rows. */
const MOST = 20;

/**
 * @param {import("./server.js").Server} server
 * @returns {{ element: HTMLElement, show(applied: readonly AppliedStep[]): void }}
 */
export function steps(server) {
  const title = h("h3", { tabindex: -1 }, "Steps");
  const due = h("ul", { class: "advice" });
  const take = h("button", { type: "button", hidden: true }, "Take these steps");
  const said = h("p", { class: "note", role: "status" });
  /** @type {ReturnType<typeof table<AppliedStep>>} */
  const taken = table({
    caption: "What was applied, the latest first",
    columns: [
      { title: "At", text: ({ at }) => clock(at) },
      { title: "Step", long: true, text: ({ action }) => action },
      { title: "Why", long: true, text: ({ reason }) => reason },
      { title: "Checked", text: ({ outcome }) => outcome ?? "not yet" },
    ],
    key: ({ at, type, action }) => `${at} ${type} ${action}`,
    empty: "Nothing was applied.",
  });
  /** @type {readonly AppliedStep[]} */
  let applied = [];

  const propose = async () => {
    const { optimizations } = /** @type {Run} */ (await server.post(ROUTE, { dry_run: true }));
    due.replaceChildren(
      ...optimizations.map(({ action, reason, expected }) =>
        h("li", {}, `${action}.`, h("span", { class: "note" }, `${reason}. Expected: ${expected}.`)),
      ),
    );
    take.hidden = optimizations.length === 0;
    return optimizations.length === 0 ? "The figures call for no step." : "";
  };
  const act = async () => {
    const { optimizations } = /** @type {Run} */ (await server.post(ROUTE, {}));
    const done = optimizations.filter(({ state }) => state !== "proposed");
    show([...applied, ...done.map((step) => ({ ...step, at: step.timestamp, outcome: null }))]);
    await propose();
    return `${plural(done.length, "step")} taken. What does not help is taken back.`;
  };
  /** @param {Promise<string>} work */
  const tell = (work) =>
    work.then(
      (text) => setText(said, text),
      ({ message }) => setText(said, message),
    );
  /** @param {readonly AppliedStep[]} all oldest first */
  const show = (all) => {
    applied = all;
    taken.show(all.slice(-MOST).toReversed());
  };

  // Not disabled meanwhile: it would lose the focus.
  let isTaking = false;
  take.addEventListener("click", async () => {
    if (isTaking) return;
    isTaking = true;
    await tell(act());
    isTaking = false;
    if (take.hidden) title.focus();
  });
  return {
    element: h("div", {}, title, due, h("div", { class: "below" }, take, said), taken.element),
    show(all) {
      show(all);
      if (!isTaking) tell(propose());
    },
  };
}
