/** A row of figures with their names. */
import { h, setText } from "./dom.js";

/**
 * @param {readonly string[]} labels
 * @returns {{ element: HTMLElement, show(values: readonly string[]): void }}
 */
export function tiles(labels) {
  const values = labels.map(() => h("dd", {}, ""));
  return {
    element: h(
      "dl",
      { class: "tiles" },
      ...labels.map((label, index) => h("div", {}, h("dt", {}, label), values[index] ?? "")),
    ),
    show(texts) {
      for (const [index, value] of values.entries()) setText(value, texts[index] ?? "");
    },
  };
}
