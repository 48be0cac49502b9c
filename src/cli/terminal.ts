/** Printing for people: a progress bar, a table, numbers with units. */

/** The slice of a terminal, or of what stands in for one, that is needed. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

const BAR = 30;

/**
 * Tells how far a run is: a bar in one line on a terminal, a line at each quarter elsewhere.
 *
 * @returns what to call after each step, with the number of steps done
 */
export function progress(
  out: Output,
  label: string,
  total: number,
  now: () => number = () => performance.now(),
): (done: number) => void {
  const start = now();
  return (done) => {
    const seconds = (now() - start) / 1000;
    if (!out.isTTY) {
      const quarters = (calls: number): number => Math.floor((4 * calls) / total);
      if (quarters(done) > quarters(done - 1)) {
        out.write(`${label}: ${done} of ${total} calls, ${seconds.toFixed(1)} s\n`);
      }
      return;
    }
    const filled = Math.round((BAR * done) / total);
    const left = done === 0 ? "" : `, ${Math.ceil((seconds / done) * (total - done))} s left`;
    const bar = "#".repeat(filled) + ".".repeat(BAR - filled);
    out.write(redrawn(`${label} [${bar}] ${done}/${total}${done === total ? "\n" : left}`));
  };
}

/**
 * A line in place of the one that a terminal shows; cut at its edge (DECAWM), since of a line that goes on in the next
 * row only the end would be replaced.
 */
export function redrawn(line: string): string {
  return `\r\x1b[K\x1b[?7l${line}\x1b[?7h`;
}

/**
 * Rows of text in aligned columns, the first to the left, numbers to the right.
 *
 * @example table([["", "a"], ["calls", "20"]]) // "         a\ncalls   20"
 */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join("   ");
  return rows.map(line).join("\n");
}

/** @example count(12054) // "12,054" */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** @example seconds(1234) // "1.23 s" */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** @example megabytes(228_000_000) // "228 MB" */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** @example size(20_634_000_000) // "20.6 GB" */
export function size(bytes: number): string {
  return bytes < 1e9 ? megabytes(bytes) : `${(bytes / 1e9).toFixed(1)} GB`;
}

/**
 * @example counted(1, "warning") // "1 warning"
 * @example counted(1200, "call") // "1,200 calls"
 */
export function counted(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}
