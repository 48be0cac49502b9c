/** What a long run does just now, when nobody can tell how many steps are left. */
import { type Output, redrawn } from "./terminal.js";

/** Elsewhere than on a terminal, a line at most so often. */
const LINE_MS = 5_000;

export interface Status {
  /** @param share 0 to 1 of what the run may take at most */
  show(text: string, share: number): void;
  /** Clears the line. */
  end(): void;
}

const BAR = 20;

/**
 * One line that is redrawn on a terminal; elsewhere a line now and then.
 *
 * @param now milliseconds
 */
export function status(out: Output, now: () => number = () => performance.now()): Status {
  let last = Number.NEGATIVE_INFINITY;
  return {
    show(text, share) {
      if (out.isTTY) {
        const filled = Math.round(BAR * Math.min(1, Math.max(0, share)));
        out.write(redrawn(`[${"#".repeat(filled)}${".".repeat(BAR - filled)}] ${text}`));
        return;
      }
      if (now() - last < LINE_MS) return;
      last = now();
      out.write(`${text}\n`);
    },
    end() {
      if (out.isTTY) out.write("\r\x1b[K");
    },
  };
}
