/**
 * `npm test`: runs vitest with its usual output and ends with one line, `N passed, N failed`, added up from its
 * JSON report. Arguments go to vitest (`npm test -- --coverage`, `npm test -- test/storage`), except
 * `--report NAME`, which names the report `reports/NAME.json` (default `unit`) for `scripts/tally.mjs`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { isGood, tallyFiles, tallyLine } from "./tally.mjs";

const root = dirname(import.meta.dirname);
const { tokens } = parseArgs({ strict: false, tokens: true, options: { report: { type: "string" } } });
const named = tokens.find((token) => token.kind === "option" && token.name === "report");
const rest = process.argv.slice(2);
if (named) rest.splice(named.index, named.inlineValue ? 1 : 2);
const report = join(root, "reports", `${named?.value ?? "unit"}.json`);

// What an earlier run left must not count for this one.
rmSync(report, { force: true });
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
const child = spawn(process.execPath, [vitest, "run", ...reporters, ...rest], {
  cwd: root,
  stdio: "inherit",
});
const [code, signal] = await once(child, "exit");

try {
  const sum = tallyFiles([report]);
  console.log(tallyLine(sum));
  process.exitCode = code === 0 && isGood(sum) ? 0 : code || 1;
} catch (error) {
  console.error(`vitest left no report (${signal ?? `exit ${code}`}): ${error.message}`);
  console.log(tallyLine({ passed: 0, failed: 1, skipped: 0 }));
  process.exitCode = code || 1;
}
