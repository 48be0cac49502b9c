/** Tables that are filled again and again without losing focus, selection or what was opened in them. */
import { h, setText } from "./dom.js";

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: Row) => string} [text] written again when it changes
 * @property {(row: Row) => Node} [node] made once, with its row
 * @property {boolean} [numeric] figures: aligned to the right
 * @property {boolean} [long] sentences: not squeezed where it is narrow
 */

/**
 * The first column names the row.
 *
 * @template Row
 * @param {object} options
 * @param {string} options.caption
 * @param {readonly Column<Row>[]} options.columns
 * @param {(row: Row) => string} options.key
 * @param {string} options.empty what stands there without rows
 * @returns {{ element: HTMLElement, show(rows: readonly Row[]): void }}
 */
export function table({ caption, columns, key, empty }) {
  const heads = columns.map(({ title, numeric }) =>
    h("th", { scope: "col", class: numeric && "figure" }, title),
  );
  const body = h("tbody");
  const nothing = h("p", { class: "empty" }, empty);
  const scroller = h(
    "div",
    // Scrolls sideways where it is narrow: with the keyboard too.
    { class: "scroller", role: "region", tabindex: 0, "aria-label": caption },
    h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, ...heads)), body),
  );
  /** @type {Map<string, { line: HTMLTableRowElement, cells: HTMLElement[] }>} */
  const lines = new Map();

  /** @param {Row} row */
  const lineOf = (row) => {
    const cells = columns.map(({ node, numeric, long }, index) =>
      h(
        index === 0 ? "th" : "td",
        { scope: index === 0 && "row", class: (numeric && "figure") || (long && "long") },
        node?.(row) ?? null,
      ),
    );
    return { line: h("tr", {}, ...cells), cells };
  };

  return {
    element: h("div", {}, scroller, nothing),
    show(rows) {
      nothing.hidden = rows.length > 0;
      scroller.hidden = rows.length === 0;
      const kept = new Set(rows.map(key));
      for (const [id, { line }] of lines) {
        if (kept.has(id)) continue;
        line.remove();
        lines.delete(id);
      }
      /** @type {Element | null} */
      let place = body.firstElementChild;
      for (const row of rows) {
        const id = key(row);
        const shown = lines.get(id) ?? lineOf(row);
        lines.set(id, shown);
        if (shown.line === place) place = place.nextElementSibling;
        else body.insertBefore(shown.line, place);
        columns.forEach(({ text }, index) => {
          const cell = shown.cells[index];
          if (text && cell) setText(cell, text(row));
        });
      }
    },
  };
}
