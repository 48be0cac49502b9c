/** Puts the page together: the connection, the panels, and when they are drawn. */
import { alertLines } from "./alerts.js";
import { byId, h, setText } from "./dom.js";
import { clock, count } from "./format.js";
import { LiveState } from "./liveState.js";
import { Server } from "./server.js";
import { startTheme } from "./theme.js";

/** @typedef {import("./panel.js").Panel} Panel */
/** @typedef {import("./panel.js").View} View */
/** @typedef {import("./server.js").ConnectionState} ConnectionState */

/** Between two drawings: what a thousand events a second change is drawn four times a second at most. */
const DRAW_MS = 250;
/** Of the time: a slow machine draws less often rather than later and later. */
const DRAWING_SHARE = 0.2;
/** Between two summaries for screen readers. */
const SUMMARY_MS = 15_000;
const KEPT_TOKEN = "ollama-optimizer.token";
const SPANS = [
  { name: "5 minutes", spanMs: 300_000, stepMs: 5_000 },
  { name: "15 minutes", spanMs: 900_000, stepMs: 15_000 },
  { name: "1 hour", spanMs: 3_600_000, stepMs: 60_000 },
];
/** What reports reach over. */
const DAYS = [1, 7, 30];

const main = byId("main", HTMLElement);
const connection = byId("connection", HTMLElement);
const countdown = byId("countdown", HTMLElement);
const retry = byId("retry", HTMLButtonElement);
const login = byId("login", HTMLFormElement);
const tokenField = byId("token", HTMLInputElement);
const loginError = byId("login-error", HTMLElement);
const forget = byId("forget", HTMLButtonElement);
const summary = byId("summary", HTMLElement);
const span = byId("span", HTMLSelectElement);
const days = byId("days", HTMLSelectElement);
const pause = byId("pause", HTMLButtonElement);

const live = new LiveState();
/** @type {((view: View) => void)[]} */
const shown = [alertLines(byId("alerts", HTMLElement))];
let nextDrawAt = 0;
let isDrawing = false;
let summedAt = 0;
let heardAt = 0;

const server = new Server({
  // Below the page, wherever that is: a proxy may have put a path before it.
  fetch: (path, init) => fetch(`.${path}`, init),
  token: {
    get: () => sessionStorage.getItem(KEPT_TOKEN),
    set: (token) => sessionStorage.setItem(KEPT_TOKEN, token),
  },
  onEvent(data) {
    live.apply(JSON.parse(data));
    heardAt = live.now();
    draw();
  },
  onState(state) {
    showConnection(state);
    draw();
  },
});

/** Once for all that comes until then. A page that nobody sees is not drawn. */
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  setTimeout(() => requestAnimationFrame(drawNow), Math.max(0, nextDrawAt - performance.now()));
}

async function drawNow() {
  const began = performance.now();
  showCountdown(server.state);
  if (pause.ariaPressed !== "true") await drawPanels();
  nextDrawAt = performance.now() + Math.max(DRAW_MS, (performance.now() - began) / DRAWING_SHARE);
  isDrawing = false;
}

async function drawPanels() {
  const chosen = SPANS[span.selectedIndex] ?? SPANS[0];
  if (!chosen) return;
  const view = {
    live,
    isLive: server.state.kind === "live",
    now: live.now(),
    span: chosen,
    days: Number(days.value),
  };
  for (const show of shown) {
    show(view);
    // A task for each: a click waits for one panel, not for all.
    await new Promise((resolve) => setTimeout(resolve));
  }
  if (view.isLive && performance.now() > summedAt + SUMMARY_MS) {
    summedAt = performance.now();
    setText(
      summary,
      `${count(live.running.size)} running, ${count(live.queue.waiting)} waiting for their turn`,
    );
  }
}

/** @param {ConnectionState} state */
function showConnection(state) {
  connection.dataset.state = state.kind;
  if (state.kind === "live") setText(connection, "Live");
  if (state.kind === "locked") setText(connection, "Locked");
  // While it is tried again, it stays disconnected for those who look.
  if (state.kind === "connecting" && heardAt === 0) setText(connection, "Connecting");
  if (state.kind === "disconnected") {
    const since = heardAt > 0 ? ` What is shown is of ${clock(heardAt)}.` : "";
    setText(connection, `Disconnected. ${state.why}.${since}`);
  }
  if (state.kind !== "connecting") retry.hidden = state.kind !== "disconnected";
  forget.hidden = sessionStorage.getItem(KEPT_TOKEN) === null || state.kind === "locked";
  const isLocked = state.kind === "locked";
  if (isLocked) {
    setText(loginError, state.wasRefused ? "The server does not take this token." : "");
    tokenField.setAttribute("aria-invalid", String(state.wasRefused));
    if (login.hidden || state.wasRefused) queueMicrotask(() => tokenField.focus());
  }
  login.hidden = !isLocked;
  main.dataset.locked = String(isLocked);
  showCountdown(state);
}

/** Apart from the status: a screen reader would read out every second. */
function showCountdown(/** @type {ConnectionState} */ state) {
  const seconds = state.kind === "disconnected" ? Math.ceil((state.retryAt - Date.now()) / 1000) : 0;
  setText(countdown, seconds > 0 ? `Next try in ${seconds} s` : "");
}

/** @param {Panel} panel */
function place({ title, wide, mount }) {
  const id = `panel-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  const body = h("div");
  main.append(
    h(
      "section",
      { id, class: wide ? "panel wide" : "panel", tabindex: -1, "aria-labelledby": `${id}-title` },
      h("h2", { id: `${id}-title` }, title),
      body,
    ),
  );
  byId("sections", HTMLUListElement).append(h("li", {}, h("a", { href: `#${id}` }, title)));
  const show = mount(body, server);
  shown.push((view) => {
    // One that fails leaves the others alone.
    try {
      show(view);
    } catch (error) {
      console.error(`${title}: ${error}`);
    }
  });
}

async function start() {
  const names = /** @type {string[]} */ (await server.get("/optimization/dashboard/panels.json"));
  const files = await Promise.allSettled(names.map((name) => import(`./${name}`)));
  /** @type {Panel[]} */
  const panels = [];
  for (const file of files) {
    if (file.status === "fulfilled") panels.push(file.value.default);
    else console.error(file.reason);
  }
  for (const panel of panels.sort((a, b) => a.place - b.place)) place(panel);
  server.connect();
}

span.replaceChildren(...SPANS.map(({ name }) => h("option", {}, name)));
days.replaceChildren(
  ...DAYS.map((many) =>
    h("option", { value: many, selected: many === 7 }, many === 1 ? "1 day" : `${many} days`),
  ),
);
for (const field of [span, days]) field.addEventListener("change", drawPanels);
// For reading: rows move on otherwise (WCAG 2.2.2).
pause.addEventListener("click", () => {
  pause.ariaPressed = String(pause.ariaPressed !== "true");
  draw();
});
retry.addEventListener("click", () => server.connect());
forget.addEventListener("click", () => {
  sessionStorage.removeItem(KEPT_TOKEN);
  // What was shown is forgotten too.
  location.reload();
});
login.addEventListener("submit", (event) => {
  event.preventDefault();
  server.use(tokenField.value);
  tokenField.value = "";
});
addEventListener("online", () => server.state.kind === "disconnected" && server.connect());
// What runs gets older without an event.
setInterval(draw, 1_000);
startTheme(() => document.dispatchEvent(new Event("themechange")));
start().catch((error) => {
  console.error(error);
  setText(connection, "The page could not be loaded whole. Load it again.");
});
