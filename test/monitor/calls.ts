/** Requests of a seeded program, for what watches them. */
import type { RequestRecord } from "../../src/records.js";
import { request } from "../contract/records.js";

/** A fixed moment, in the midst of a minute, an hour and a day. */
export const NOON: number = Date.UTC(2025, 5, 18, 12, 30, 30);

/** Numbers in [0, 1) that are the same in every run (Park and Miller's generator). */
export function seeded(seed: number): () => number {
  let state = seed % 2_147_483_647 || 1;
  return () => {
    state = (state * 16_807) % 2_147_483_647;
    return (state - 1) / 2_147_483_646;
  };
}

/** A positive value around `median`, as response times are distributed. */
export function lognormal(random: () => number, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(sigma * normal);
}

let calls = 0;

/** A call that began `at` milliseconds since 1970. */
export function call(at: number, fields: Partial<RequestRecord> = {}): RequestRecord {
  return request(`call-${++calls}`, { at: new Date(at).toISOString(), ...fields });
}
