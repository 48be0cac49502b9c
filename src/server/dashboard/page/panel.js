/**
 * What a panel of the page is. To add one, put a file into `panels/` that exports a {@link Panel} by default: the
 * server lists the folder, nothing else has to know of it.
 */

/**
 * What there is to show at one moment. It is shown four times a second at most, and once a second at least.
 *
 * @typedef {object} View
 * @property {import("./liveState.js").LiveState} live
 * @property {boolean} isLive the stream is open
 * @property {number} now the server's time, milliseconds
 * @property {{ readonly name: string, readonly spanMs: number, readonly stepMs: number }} span what charts reach over
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
 * @param {string} path
 * @param {number} everyMs
 * @param {(answer: Answer) => void} onAnswer
 * @param {(why: string) => void} onError
 * @returns {(view: View) => void} to be called for each view
 */
export function polled(server, path, everyMs, onAnswer, onError) {
  let next = 0;
  let isAsking = false;
  let wasLive = false;
  return ({ isLive }) => {
    const isBack = isLive && !wasLive;
    wasLive = isLive;
    if (!isLive || isAsking || (performance.now() < next && !isBack)) return;
    isAsking = true;
    server
      .get(path)
      .then((answer) => onAnswer(/** @type {Answer} */ (answer)))
      .catch((error) => onError(error.message))
      .finally(() => {
        isAsking = false;
        next = performance.now() + everyMs;
      });
  };
}
