/** Colours, where a terminal shows them. */
import type { Surroundings } from "./command.js";
import type { Output } from "./terminal.js";

/** SGR parameters (ECMA-48) to begin and to end. `styleText` of node:util is missing before Node 20.12. */
const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

export type Style = (style: keyof typeof STYLES, text: string) => string;

/** Styles for an output: none unless it is a terminal, nor with `NO_COLOR` (no-color.org) or `TERM=dumb`. */
export function styleFor(output: Output, environment: Surroundings["environment"]): Style {
  const isPlain = !output.isTTY || Boolean(environment.NO_COLOR) || environment.TERM === "dumb";
  if (isPlain) return (_, text) => text;
  return (style, text) => {
    const [begin, end] = STYLES[style];
    return `\x1b[${begin}m${text}\x1b[${end}m`;
  };
}
