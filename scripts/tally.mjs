/**
 * Adds up vitest's JSON reports. As a program: `node scripts/tally.mjs reports/*.json` prints one line and fails
 * when a test failed or none passed.
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** @typedef {{ passed: number, failed: number, skipped: number }} Sum */

/**
 * @param {readonly any[]} reports parsed JSON reports of vitest
 * @returns {Sum}
 */
export function tally(reports) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const report of reports) {
    sum.passed += report.numPassedTests;
    sum.failed += report.numFailedTests;
    sum.skipped += report.numPendingTests + report.numTodoTests;
    // A file that cannot be loaded, or whose set-up fails, has no failed test to count: it is one all the same.
    const failedAlone = ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((test) => test.status === "failed");
    sum.failed += report.testResults.filter(failedAlone).length;
  }
  return sum;
}

/** @param {readonly string[]} files paths of reports; a missing one throws, so that no run goes missing unnoticed */
export function tallyFiles(files) {
  return tally(files.map((file) => JSON.parse(readFileSync(file, "utf8"))));
}

/**
 * `12 passed, 0 failed`, and `, 3 skipped` when any were.
 *
 * @param {Sum} sum
 */
export function tallyLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/**
 * Whether a run counts as good: something ran and nothing failed.
 *
 * @param {Sum} sum
 */
export function isGood({ passed, failed }) {
  return passed > 0 && failed === 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const sum = tallyFiles(process.argv.slice(2));
  console.log(tallyLine(sum));
  process.exitCode = isGood(sum) ? 0 : 1;
}
