/** The statistics below the searches, against independent values. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countQuantile } from "../../src/analysis/countDistribution.js";
import { Cusum, cusumLimit } from "../../src/analysis/cusum.js";
import { LogHistogram } from "../../src/analysis/logHistogram.js";
import { monotony } from "../../src/analysis/mannKendall.js";
import { rankSum, rankSumP, vanElterenP } from "../../src/analysis/rankSum.js";
import { RobustWindow } from "../../src/analysis/robustWindow.js";
import { TimeParser } from "../../src/analysis/timeParser.js";
import { WorkingTime } from "../../src/analysis/workingTime.js";
import { seededRandom } from "../../src/calibration/prose.js";
import { normal } from "./traffic.js";

const finite = fc.double({ min: -1e6, max: 1e6, noNaN: true });
const median = (values: readonly number[]) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
};

describe("a robust window", () => {
  test("has the median, MAD and mean of its last values, whatever came before", () => {
    fc.assert(
      fc.property(
        fc.array(finite, { minLength: 2, maxLength: 120 }),
        fc.integer({ min: 2, max: 40 }),
        (all, size) => {
          const window = new RobustWindow(size);
          for (const value of all) window.push(value);
          const kept = all.slice(-size);
          const middle = median(kept);
          const mad = median(kept.map((value) => Math.abs(value - middle)));
          expect(window.count).toBe(kept.length);
          expect(window.median).toBeCloseTo(middle, 6);
          expect(window.sigma).toBeCloseTo((1.4826 * mad * kept.length) / (kept.length - 0.8), 6);
          expect(window.mean).toBeCloseTo(kept.reduce((sum, value) => sum + value, 0) / kept.length, 4);
        },
      ),
    );
  });

  test("does not move with a tenth of its values far away", () => {
    const random = seededRandom(1);
    const window = new RobustWindow(1000);
    for (let index = 0; index < 1000; index++) window.push(index % 10 === 0 ? 1e6 : normal(random));
    expect(Math.abs(window.median)).toBeLessThan(0.3);
    expect(window.sigma).toBeLessThan(1.4);
  });
});

describe("CUSUM", () => {
  test("has the limits that tables give for its run length (Montgomery, Table 9.4: k 0.5, h 4: 336 one-sided)", () => {
    expect(cusumLimit(0.5, 336)).toBeCloseTo(4, 1);
    expect(cusumLimit(0.5, 930)).toBeCloseTo(5, 1);
  });

  test("runs about as long as promised without a change", () => {
    const random = seededRandom(7);
    const limit = cusumLimit(0.5, 500);
    const cusum = new Cusum();
    let alarms = 0;
    for (let index = 0; index < 200_000; index++) {
      if (cusum.push(normal(random), 0.5, limit) !== 0) {
        alarms++;
        cusum.clear();
      }
    }
    // Two sides: every 250 values.
    expect(200_000 / alarms).toBeGreaterThan(200);
    expect(200_000 / alarms).toBeLessThan(320);
  });
});

describe("the rank-sum test", () => {
  // By hand: ranks 4, 6, 9, 10, 11 of 30 expected, variance 30; midranks 3, 6, 6, 8 of 18, variance 76 / 7.
  test("gives the normal approximation's p, with ties and without", () => {
    const a = [1.1, 2.2, 3.3, 4.4, 5.5, 6.6];
    const b = [3.5, 5.1, 7.2, 8.8, 9.1];
    expect(rankSum(a, b).statistic).toBe(40);
    expect(rankSumP(rankSum(a, b))).toBeCloseTo(0.0679, 3);
    expect(rankSumP(rankSum([1, 2, 2, 3], [2, 3, 3, 4]))).toBeCloseTo(0.1292, 3);
  });

  test("finds nothing in equal values, and is the same from both sides", () => {
    expect(rankSumP(rankSum([1, 1, 1], [1, 1]))).toBe(1);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ max: 9, min: 0 }), { minLength: 1 }),
        fc.array(fc.integer({ max: 9, min: 0 }), { minLength: 1 }),
        (x, y) => {
          const [a, b] = [[...x].sort((m, n) => m - n), [...y].sort((m, n) => m - n)];
          expect(rankSumP(rankSum(a, b))).toBeCloseTo(rankSumP(rankSum(b, a)), 9);
        },
      ),
    );
  });

  test("over strata sees no difference where only their mixture changed", () => {
    const random = seededRandom(3);
    const draw = (level: number, count: number) =>
      Array.from({ length: count }, () => level + normal(random)).sort((a, b) => a - b);
    const strata = [rankSum(draw(0, 200), draw(0, 20)), rankSum(draw(100, 20), draw(100, 200))];
    expect(vanElterenP(strata)).toBeGreaterThan(0.01);
  });
});

describe("Mann-Kendall", () => {
  test("knows a rise, a fall and neither", () => {
    const times = Array.from({ length: 30 }, (_, index) => index);
    expect(
      monotony(
        times,
        times.map((time) => 3 * time),
      ).slope,
    ).toBeCloseTo(3, 9);
    expect(
      monotony(
        times,
        times.map((time) => -time),
      ).tau,
    ).toBe(-1);
    const random = seededRandom(5);
    expect(
      monotony(
        times,
        times.map(() => normal(random)),
      ).p,
    ).toBeGreaterThan(0.01);
    expect(
      monotony(
        times,
        times.map(() => 4),
      ),
    ).toMatchObject({ p: 1, slope: 0, tau: 0 });
  });

  test("gives the p of a published example (Gilbert 1987: S = 8 of n = 5, two-sided 0.0864)", () => {
    expect(monotony([1, 2, 3, 4, 5], [1, 2, 3, 5, 4]).p).toBeCloseTo(0.0864, 3);
  });
});

describe("counts", () => {
  test("have the quantiles of Poisson and of the negative binomial", () => {
    expect(countQuantile(10, 10, 0.95)).toBe(15);
    expect(countQuantile(10, 10, 0.05)).toBe(5);
    expect(countQuantile(10, 30, 0.95)).toBe(20);
    expect(countQuantile(0, 0, 0.95)).toBe(0);
    expect(countQuantile(1000, 1000, 0.95)).toBe(1052);
  });
});

describe("a log histogram", () => {
  test("gives quantiles within 1 %, also after merging", () => {
    const random = seededRandom(11);
    const values = Array.from({ length: 5000 }, () => 500 * Math.exp(0.8 * normal(random)));
    const [left, right] = [new LogHistogram(), new LogHistogram()];
    for (const [index, value] of values.entries()) (index % 2 ? left : right).add(value);
    left.merge(right);
    const sorted = values.sort((a, b) => a - b);
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      expect(left.quantile(share) / sorted[Math.ceil(share * 5000) - 1]!).toBeCloseTo(1, 1.7);
    }
    expect(new LogHistogram().quantile(0.5)).toBeNaN();
  });
});

describe("times of a log", () => {
  test("are those of Date.parse, whatever the text", () => {
    const parser = new TimeParser();
    const time = fc.oneof(
      fc
        .date({ min: new Date("2026-01-01"), max: new Date("2026-01-03"), noInvalidDate: true })
        .map((date) => date.toISOString()),
      fc.constantFrom(
        "2026-01-01T24:00:00.000Z",
        "2026-01-01T23:60:00.000Z",
        "2026-01-01T10:00:00.000+",
        "2026-01-01",
        "",
        "x",
        "2026-01-01T1a:00:00.000Z",
        "2026-01-01T10:00:00+01:00",
      ),
    );
    fc.assert(
      fc.property(fc.array(time), (texts) => {
        for (const text of texts) expect(parser.parse(text)).toBe(Date.parse(text));
      }),
    );
  });
});

test("working time of a call that outlasts hundreds of short ones is that of their pauses", () => {
  const time = new WorkingTime();
  for (let second = 0; second < 600; second++) time.add("server", 1000 * second, 1000 * second + 400);
  expect(time.add("server", 0, 600_000)).toBe(600 * 600);
});

test("working time is the union of calls, in whichever order they come", () => {
  const interval = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 40 }));
  fc.assert(
    fc.property(fc.array(interval, { maxLength: 60 }), (calls) => {
      const covered = new Set<number>();
      for (const [from, length] of calls) for (let at = from; at < from + length; at++) covered.add(at);
      for (const order of [
        calls,
        [...calls].sort((a, b) => a[0] + a[1] - b[0] - b[1]),
        [...calls].sort((a, b) => a[0] - b[0]),
      ]) {
        const time = new WorkingTime();
        const sum = order.reduce((total, [from, length]) => total + time.add("s", from, from + length), 0);
        expect(sum).toBe(covered.size);
      }
    }),
  );
});
