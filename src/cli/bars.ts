/** A chart of text: one bar a row, all on one scale from 0. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Printed behind the bar. */
  readonly note: string;
}

const WIDTH = 32;

/**
 * @example bars([{ label: "64", value: 1, note: "slow" }, { label: "128", value: 2, note: "fast" }])
 * // " 64 ################                 slow\n128 ################################ fast"
 */
export function bars(rows: readonly Bar[]): string {
  const most = Math.max(...rows.map(({ value }) => value));
  const labels = Math.max(...rows.map(({ label }) => label.length));
  return rows
    .map(({ label, value, note }) => {
      const bar = "#".repeat(most > 0 ? Math.round((WIDTH * value) / most) : 0);
      return `${label.padStart(labels)} ${bar.padEnd(WIDTH)} ${note}`;
    })
    .join("\n");
}
