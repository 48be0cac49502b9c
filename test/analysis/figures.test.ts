/** What the search for anomalies is held to, over many seeds. `LevelWatch` says where its constants come from. */
import { describe, expect, test } from "vitest";
import { anomaliesOf } from "../../src/analysis/anomalies.js";
import type { RequestRecord } from "../../src/records.js";
import { START, traffic } from "./traffic.js";

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);
const now = START + 365 * 86_400_000;
const found = (requests: readonly RequestRecord[]) => anomaliesOf(requests, { now }).anomalies;

describe.each([0.2, 0.3, 0.4])("spikes of 6 to 10 x in lognormal traffic of sigma %d", (sigma) => {
  test.each([0.01, 0.05, 0.1])("are found at a contamination of %d", (contamination) => {
    let [spikes, hits, others, falseAlarms] = [0, 0, 0, 0];
    for (const seed of SEEDS) {
      const isSpike: boolean[] = [];
      const factor = (index: number, random: () => number) => {
        isSpike[index] = random() < contamination;
        return isSpike[index] ? 6 + 4 * random() : 1;
      };
      const requests = traffic({ seed, calls: 1000, sigma, factor });
      const told = new Set(
        found(requests).flatMap((each) => (each.kind === "spike" ? [each.requestId] : [])),
      );
      for (const [index, { id }] of requests.entries()) {
        if (isSpike[index]) {
          spikes++;
          if (told.has(id)) hits++;
        } else {
          others++;
          if (told.has(id)) falseAlarms++;
        }
      }
    }
    expect(hits / spikes).toBeGreaterThanOrEqual(0.95);
    expect(falseAlarms / others).toBeLessThanOrEqual(0.01);
  });
});

describe("a sustained change of x 1.4", () => {
  test.each([0.1, 0.2, 0.25, 0.3])("is found within 30 calls at sigma %d", (sigma) => {
    const delays = Array.from({ length: 60 }, (_, seed) => {
      const requests = traffic({
        seed: seed + 1,
        calls: 260,
        sigma,
        factor: (index) => (index < 200 ? 1 : 1.4),
      });
      const change = found(requests).find((each) => each.kind === "change" && each.at >= requests[185]!.at);
      return change ? requests.findIndex(({ id }) => id === change.requestId) - 199 : 61;
    });
    expect(delays.filter((delay) => delay <= 30).length / delays.length).toBeGreaterThanOrEqual(0.95);
  });

  test.each([
    [0.2, 0],
    [0.3, 0],
    [0.4, 0],
    [0.3, 0.05],
    [0.3, 0.1],
  ])("costs at most 0.2 false alarms in 1,000 calls at sigma %d and %d of spikes", (sigma, contamination) => {
    const factor = (_: number, random: () => number) => (random() < contamination ? 6 + 4 * random() : 1);
    const alarms = SEEDS.flatMap((seed) =>
      found(traffic({ seed, calls: 2500, sigma, factor })).filter(({ kind }) => kind === "change"),
    );
    expect(alarms.length / (SEEDS.length * 2.5)).toBeLessThanOrEqual(0.2);
  });
});
