/**
 * Adds up vitest's JSON reports. As a program: `node scripts/tally.mjs reports/*.json` prints one line and fails
 * when a test failed or none passed.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
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
  return tally(read(files));
}

function read(files) {
  return files.map((file) => JSON.parse(readFileSync(file, "utf8")));
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
 * What failed, a line each with the beginning of its message: whoever sees only the end of a run's output sees why.
 *
 * @param {readonly any[]} reports parsed JSON reports of vitest
 * @returns {string[]}
 */
export function failures(reports) {
  return reports.flatMap(({ testResults }) =>
    testResults.flatMap(({ name, status, message, assertionResults }) => {
      const failed = assertionResults.filter((test) => test.status === "failed");
      if (failed.length === 0) return status === "failed" ? [line(name, "cannot be run", message)] : [];
      return failed.map((test) => line(name, test.fullName, test.failureMessages[0]));
    }),
  );
}

const MESSAGE_LENGTH = 400;

function line(file, test, message) {
  return `failed: ${basename(file)}: ${test}: ${(message ?? "").slice(0, MESSAGE_LENGTH).replaceAll(/\s+/g, " ")}`;
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
  const reports = read(process.argv.slice(2));
  for (const failure of failures(reports)) console.log(failure);
  const sum = tally(reports);
  console.log(tallyLine(sum));
  process.exitCode = isGood(sum) ? 0 : 1;
}
