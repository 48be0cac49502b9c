import { expect, test } from "vitest";
import { failures, isGood, tally, tallyLine } from "../../scripts/tally.mjs";

const report = (
  passed: number,
  failed: number,
  pending: number,
  todo: number,
  testResults: object[] = [],
) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: pending,
  numTodoTests: todo,
  testResults,
});

test("several reports are added up, skipped and planned tests together", () => {
  expect(tally([report(10, 0, 1, 2), report(5, 1, 0, 0)])).toEqual({ passed: 15, failed: 1, skipped: 3 });
});

test("a file that fails without a failed test is one failure", () => {
  const files = [
    { status: "failed", assertionResults: [] },
    { status: "failed", assertionResults: [{ status: "skipped" }] },
    { status: "failed", assertionResults: [{ status: "failed" }] },
    { status: "passed", assertionResults: [{ status: "passed" }] },
  ];

  expect(tally([report(1, 1, 1, 0, files)]).failed).toBe(3);
});

test("the line names skipped tests only when there are any", () => {
  expect(tallyLine({ passed: 3, failed: 0, skipped: 0 })).toBe("3 passed, 0 failed");
  expect(tallyLine({ passed: 3, failed: 1, skipped: 2 })).toBe("3 passed, 1 failed, 2 skipped");
});

test("a run without a passed test is not good", () => {
  expect(isGood({ passed: 0, failed: 0, skipped: 4 })).toBe(false);
  expect(isGood({ passed: 1, failed: 1, skipped: 0 })).toBe(false);
  expect(isGood({ passed: 1, failed: 0, skipped: 4 })).toBe(true);
});

test("what failed is named with its file and the beginning of its message", () => {
  const long = {
    status: "failed",
    fullName: "adds",
    failureMessages: [`expected 1\n to be 2${"!".repeat(900)}`],
  };
  const files = [
    { name: "/x/a.test.ts", status: "failed", assertionResults: [long, { status: "passed" }] },
    { name: "/x/b.test.ts", status: "failed", message: "no such module", assertionResults: [] },
    { name: "/x/c.test.ts", status: "passed", assertionResults: [{ status: "passed" }] },
  ];

  const [first, second, ...rest] = failures([report(2, 1, 0, 0, files)]);

  expect(first).toMatch(/^failed: a\.test\.ts: adds: expected 1 to be 2!{300,390}$/);
  expect(second).toBe("failed: b.test.ts: cannot be run: no such module");
  expect(rest).toEqual([]);
});
