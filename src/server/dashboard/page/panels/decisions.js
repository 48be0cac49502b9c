/** What was decided about each call, and why: the latest from the event stream, older ones from the store. */
import { h, setText } from "../dom.js";
import { clock, count, duration, percent, UNKNOWN } from "../format.js";
import { table } from "../table.js";

/** @typedef {import("../../../activity.js").FinishedCall} FinishedCall */
/** @typedef {import("../../../../records.js").RequestRecord} StoredCall of it, what has no text in it */
/** @typedef {{ readonly decisions: readonly StoredCall[], readonly nextCursor: string | null }} Decisions */

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} at
 * @property {string} model
 * @property {string | null} action
 * @property {number | null} numCtx
 * @property {number | null} promptTokens
 * @property {number | null} tookMs
 * @property {string | null} error
 * @property {string | null} templateId
 * @property {string | null} reason
 * @property {boolean} reloaded
 * @property {number} retries
 * @property {FinishedCall | null} live
 * @property {StoredCall | null} stored
 */

/** Rows; a filter looks through all. */
const MOST = 50;
const PAGE = 100;

/** @type {Readonly<Record<string, (row: Row) => boolean>>} */
const ONLY = {
  "all calls": () => true,
  failed: ({ error }) => error !== null,
  reloaded: ({ reloaded }) => reloaded,
  "sent again": ({ retries }) => retries > 0,
  "cut prevented": ({ live }) => live?.cutPrevented ?? false,
};

/** @type {import("../panel.js").Panel} */
export default {
  title: "Decisions",
  place: 70,
  wide: true,
  mount(body, server) {
    const search = h("input", { type: "search", autocomplete: "off", spellcheck: "false" });
    const action = h(
      "select",
      {},
      ...["all", "keep", "grow", "load", "shrink", "pass"].map((name) => h("option", {}, name)),
    );
    const only = h("select", {}, ...Object.keys(ONLY).map((name) => h("option", {}, name)));
    const older = h("button", { type: "button" }, "Load older calls");
    const found = h("p", { class: "note", role: "status" });
    /** @type {ReturnType<typeof table<Row>>} */
    const decisions = table({
      caption: "The latest calls, with the decision about each",
      columns: [
        { title: "Began", text: ({ at }) => clock(at) },
        { title: "Model", text: ({ model }) => model },
        { title: "Action", text: (row) => row.action ?? UNKNOWN },
        { title: "Window", numeric: true, text: ({ numCtx }) => count(numCtx) },
        { title: "Prompt tokens", numeric: true, text: ({ promptTokens }) => count(promptTokens) },
        { title: "Took", numeric: true, text: ({ tookMs }) => duration(tookMs) },
        { title: "Result", text: ({ error }) => error ?? "ok" },
        { title: "Why, and details", node: (row) => details(row, stored) },
      ],
      key: ({ id }) => id,
      empty: "No call fits.",
    });
    /** @type {Row[]} */
    let live = [];
    /** @type {Map<string, StoredCall>} what was read of the store */
    const read = new Map();
    /** @type {string | null} */
    let cursor = null;
    let hasRead = false;

    /** @param {string | null} after */
    const readPage = async (after) => {
      const query = new URLSearchParams({ limit: String(PAGE), ...(after !== null && { cursor: after }) });
      const page = /** @type {Decisions} */ (await server.get(`/optimization/decisions?${query}`));
      for (const call of page.decisions) read.set(call.id, call);
      return page.nextCursor;
    };

    /** @param {string} id what is not among those that were read yet is among the latest */
    const stored = async (id) => {
      if (!read.has(id)) await readPage(null);
      return read.get(id) ?? null;
    };

    const readOlder = async () => {
      cursor = await readPage(cursor);
      older.hidden = cursor === null;
      return show();
    };
    /** @param {string} text */
    const tell = (text) => setText(found, text);
    /** @param {Error} error */
    const tellError = ({ message }) => tell(message);

    const show = () => {
      const words = search.value.trim().toLowerCase();
      const isKind = ONLY[only.value] ?? (() => true);
      const known = new Set(live.map(({ id }) => id));
      const rows = [...live, ...[...read.values()].filter(({ id }) => !known.has(id)).map(rowOfStored)];
      const fitting = rows
        .filter(
          (row) =>
            isKind(row) &&
            (action.value === "all" || row.action === action.value) &&
            [row.model, row.templateId, row.live?.path, row.reason, row.error].some((text) =>
              text?.toLowerCase().includes(words),
            ),
        )
        .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
      decisions.show(fitting.slice(0, MOST));
      const most = fitting.length > MOST ? `the latest ${MOST} of ` : "";
      return `${most}${count(fitting.length)} that fit, of ${count(rows.length)} calls`;
    };

    // The number is told when somebody asks for something, not whenever a call ends.
    for (const field of [search, action, only]) field.addEventListener("input", () => tell(show()));
    older.addEventListener("click", () => readOlder().then(tell, tellError));
    body.append(
      h(
        "div",
        { class: "filter", role: "search", "aria-label": "Filter the decisions" },
        h("label", {}, "Model, template, route or reason", search),
        h("label", {}, "Action", action),
        h("label", {}, "Only", only),
      ),
      decisions.element,
      h("div", { class: "below" }, older, found),
    );
    return (view) => {
      if (view.isLive && !hasRead) {
        hasRead = true;
        readOlder().catch(tellError);
      }
      live = view.live.ended().map(rowOfLive);
      show();
    };
  },
};

/**
 * @param {FinishedCall} call
 * @returns {Row}
 */
function rowOfLive(call) {
  const { startedAt, durationMs, errorCode, decisionId, ...shown } = call;
  return {
    ...shown,
    id: decisionId ?? call.id,
    at: startedAt,
    tookMs: durationMs,
    error: errorCode,
    live: call,
    stored: null,
  };
}

/**
 * @param {StoredCall} call
 * @returns {Row}
 */
function rowOfStored(call) {
  const { decision } = call;
  return {
    ...call,
    action: decision?.action ?? null,
    numCtx: decision?.numCtx ?? null,
    tookMs: call.totalMs,
    reason: decision?.reason ?? null,
    reloaded: decision?.outcome?.reloaded ?? false,
    retries: decision?.outcome?.retries ?? 0,
    live: null,
    stored: call,
  };
}

/**
 * @param {Row} row
 * @param {(id: string) => Promise<StoredCall | null>} stored
 */
function details(row, stored) {
  const facts = h("dl", { class: "facts" });
  const element = h(
    "details",
    { class: "long" },
    h("summary", {}, row.reason ?? "no decision was made"),
    facts,
  );
  /** @param {StoredCall | null} call */
  const fill = (call) =>
    facts.replaceChildren(
      ...factsOf(row, call).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    );
  element.addEventListener("toggle", () => {
    if (!element.open || facts.childElementCount > 0) return;
    fill(row.stored);
    if (row.stored === null) stored(row.id).then(fill, () => {});
  });
  return element;
}

/**
 * @param {Row} row
 * @param {StoredCall | null} call null: not in the store, or not read yet
 * @returns {[name: string, value: string][]}
 */
function factsOf({ id, live, templateId, retries }, call) {
  const decision = call?.decision;
  return [
    ...(live ? factsOfLive(live) : []),
    ...(decision ? factsOfDecision(decision) : []),
    ["Template", templateId ?? UNKNOWN],
    ["Loading", duration(live?.loadMs ?? call?.loadMs)],
    ["Time to first token", duration(live?.timeToFirstTokenMs ?? call?.timeToFirstTokenMs)],
    ["Output tokens", count(live?.outputTokens ?? call?.outputTokens)],
    ["From the prefix cache", count(live?.cachedTokens ?? call?.cachedTokens)],
    ["Sent again", `${count(retries)} times`],
    ["Decision", id],
  ];
}

/**
 * @param {FinishedCall} call
 * @returns {[name: string, value: string][]}
 */
function factsOfLive({ path, surface, status, queuedMs, cutPrevented }) {
  return [
    ["Route", `${path} (${surface === "openai" ? "OpenAI" : "Ollama"})`],
    ["Status", String(status)],
    ["Waited for its turn", duration(queuedMs)],
    ["Cut prevented", cutPrevented ? "yes: Ollama alone would have cut this prompt" : "no"],
  ];
}

/**
 * @param {import("../../../../records.js").DecisionRecord} decision
 * @returns {[name: string, value: string][]}
 */
function factsOfDecision(decision) {
  return [
    [
      "Needed",
      `${count(decision.needTokens)} tokens: ${count(decision.promptTokens)} of the prompt (${decision.countSource}) and ${count(decision.outputReserve)} for the reply`,
    ],
    ["Window before", count(decision.loadedNumCtx)],
    ["Batch", count(decision.numBatch)],
    ["Confidence", percent(decision.confidence)],
    ["Time to decide", duration(decision.decideMs)],
  ];
}
