/**
 * What a panel of the page is. To add one, put a file into `panels/` that exports a {@link Panel} by default: the
 * server lists the folder, nothing else has to know of it.
 */
import { h, setText } from "./dom.js";

/**
 * What there is to show at one moment. It is shown four times a second at most, and once a second at least.
 *
 * @typedef {object} View
 * @property {import("./liveState.js").LiveState} live
 * @property {boolean} isLive the stream is open
 * @property {number} now the server's time, milliseconds
 * @property {{ readonly name: string, readonly spanMs: number, readonly stepMs: number }} span what charts reach over
 * @property {number} days what reports reach over
 */

/**
 * @typedef {object} Panel
 * @property {string} title
 * @property {number} place ascending down the page; those that are here have 10, 20, 30, ...
 * @property {boolean} [wide] takes the whole width
 * @property {(body: HTMLElement, server: import("./server.js").Server) => (view: View) => void} mount
 *   puts its elements into `body`; what it returns is called for each view
 */

/**
 * Asks a route again and again while the page is connected.
 *
 * @template Answer
 * @param {import("./server.js").Server} server
 * @param {string | ((view: View) => string)} path another one is asked at once
 * @param {number} everyMs
 * @param {(answer: Answer) => void} onAnswer
 * @param {(why: string) => void} onError
 * @returns {(view: View) => void} to be called for each view
 */
export function polled(server, path, everyMs, onAnswer, onError) {
  let next = 0;
  let isAsking = false;
  let wasLive = false;
  let asked = "";
  return (view) => {
    const isBack = view.isLive && !wasLive;
    wasLive = view.isLive;
    const wanted = typeof path === "string" ? path : path(view);
    const isDue = performance.now() >= next || isBack || wanted !== asked;
    if (!view.isLive || isAsking || !isDue) return;
    isAsking = true;
    asked = wanted;
    server
      .get(wanted)
      .then((answer) => onAnswer(/** @type {Answer} */ (answer)))
      .catch((error) => onError(error.message))
      .finally(() => {
        isAsking = false;
        next = performance.now() + everyMs;
      });
  };
}

/** Between two questions that the server reads its request log for. */
const LOG_MS = 60_000;
/** A panel is asked for a little before it is seen. */
const AHEAD = { rootMargin: "300px" };

/**
 * Asks a route that is dear to answer: while its panel is in sight only, and once a minute. What is in the body is
 * hidden until there is an answer.
 *
 * @template Answer
 * @param {import("./server.js").Server} server
 * @param {HTMLElement} body of the panel
 * @param {(view: View) => string} path
 * @param {(answer: Answer) => string} onAnswer shows it, and returns what stands below it
 * @param {number} [everyMs]
 * @returns {(view: View) => void} to be called for each view
 */
export function reported(server, body, path, onAnswer, everyMs = LOG_MS) {
  const note = h("p", { class: "note" }, "Reading.");
  const content = h("div", { hidden: true }, ...body.childNodes);
  body.append(content, note);
  let isInSight = false;
  new IntersectionObserver((changes) => {
    isInSight = changes.at(-1)?.isIntersecting ?? false;
  }, AHEAD).observe(body.closest("section") ?? body);
  const show = polled(
    server,
    path,
    everyMs,
    (/** @type {Answer} */ answer) => {
      setText(note, onAnswer(answer));
      content.hidden = false;
      note.classList.remove("failed");
    },
    (why) => {
      setText(note, why);
      note.classList.add("failed");
    },
  );
  return (view) => {
    if (isInSight) show(view);
  };
}
