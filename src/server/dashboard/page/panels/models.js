/** What Ollama has loaded, with which windows, and what is known of each model that was used. */
import { h, setText } from "../dom.js";
import { bytes, clock, count, duration, percent } from "../format.js";
import { polled } from "../panel.js";
import { table } from "../table.js";

/** @typedef {import("../../../../records.js").ProfileRecord} ProfileRecord */
/**
 * @typedef {object} LoadedModel
 * @property {string} model
 * @property {number | null} numCtx
 * @property {number} sizeBytes
 * @property {number} vramBytes
 * @property {string | null} expiresAt
 */
/**
 * @typedef {Pick<ProfileRecord, "id" | "models" | "trainedNumCtx" | "lastOptions" | "loadMs">
 *   & { readonly largestNeedTokens: readonly number[],
 *       readonly counts: Pick<ProfileRecord["counts"], "calls" | "reloads"> }} Profile
 */
/**
 * Of `/optimization/models`, what is shown.
 *
 * @typedef {{ readonly upstream: string, readonly loaded: readonly LoadedModel[], readonly profiles: readonly Profile[] }} Models
 */

const EVERY_MS = 3_000;

/** @type {import("../panel.js").Panel} */
export default {
  title: "Models",
  place: 30,
  wide: true,
  mount(body, server) {
    /** @type {ReturnType<typeof table<LoadedModel>>} */
    const loaded = table({
      caption: "Loaded now",
      columns: [
        { title: "Model", text: ({ model }) => model },
        { title: "Window", numeric: true, text: ({ numCtx }) => count(numCtx) },
        { title: "Memory", numeric: true, text: ({ sizeBytes }) => bytes(sizeBytes) },
        {
          title: "In GPU memory",
          numeric: true,
          text: (model) => percent(model.vramBytes / model.sizeBytes),
        },
        { title: "Unloads at", text: ({ expiresAt }) => clock(expiresAt) },
      ],
      key: ({ model }) => model,
      empty: "No model is loaded.",
    });
    /** @type {ReturnType<typeof table<Profile>>} */
    const profiles = table({
      caption: "What is known of the models that were used",
      columns: [
        { title: "Model", text: ({ models, id }) => models.join(", ") || id },
        { title: "Window last sent", numeric: true, text: ({ lastOptions }) => count(lastOptions.num_ctx) },
        { title: "Trained for", numeric: true, text: ({ trainedNumCtx }) => count(trainedNumCtx) },
        {
          title: "Largest need",
          numeric: true,
          text: ({ largestNeedTokens }) => count(largestNeedTokens[0]),
        },
        { title: "Calls", numeric: true, text: ({ counts }) => count(counts.calls) },
        { title: "Reloads", numeric: true, text: ({ counts }) => count(counts.reloads) },
        { title: "A load takes", numeric: true, text: ({ loadMs }) => duration(median(loadMs)) },
      ],
      key: ({ id }) => id,
      empty: "No model was used yet.",
    });
    const trouble = h("p", { class: "note failed", role: "status" });
    body.append(h("div", { class: "beside" }, loaded.element, profiles.element), trouble);
    return polled(
      server,
      "/optimization/models",
      EVERY_MS,
      (/** @type {Models} */ models) => {
        loaded.show(models.loaded);
        profiles.show(models.profiles);
        setText(trouble, models.upstream === "reachable" ? "" : "Ollama does not answer.");
      },
      (why) => setText(trouble, why),
    );
  },
};

/** @param {readonly number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
