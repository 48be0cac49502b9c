/** How much later a piece of a streamed reply reaches the client through the server than straight from its upstream. */
import { type Figure, median, quantile } from "../figures.js";
import { Connection, posted } from "./connection.js";
import type { Program } from "./programs.js";
import { PACED, PACED_PIECES, sharedClock, type Upstream } from "./upstream.js";

const REQUEST = posted("/api/chat", {
  model: PACED,
  messages: [{ role: "user", content: "Slowly, please." }],
});
/** Streams of one block; what is told is the median of the blocks. */
const BLOCK = 4;

export async function chunkDelay(upstream: Upstream, optimizer: Program, blocks: number): Promise<Figure[]> {
  const [near, far] = [await Connection.open(upstream.origin), await Connection.open(optimizer.origin)];
  await far.ask(REQUEST);
  const added: { p50: number; p99: number }[] = [];
  for (let block = 0; block < blocks; block++) {
    const delays: [number[], number[]] = [[], []];
    for (let stream = 0; stream < BLOCK; stream++) {
      // At the same time: a machine that stalls holds up both.
      const pair = await Promise.all([delaysOf(near), delaysOf(far)]);
      delays[0].push(...pair[0]);
      delays[1].push(...pair[1]);
    }
    const [alone, both] = delays.map((list) => list.sort((a, b) => a - b)) as [number[], number[]];
    const at = (share: number): number => quantile(both, share) - quantile(alone, share);
    added.push({ p50: at(0.5), p99: at(0.99) });
  }
  near.close();
  far.close();
  return [
    { what: "a piece of a stream: later, p50", value: median(added.map(({ p50 }) => p50)), unit: "ms" },
    {
      what: "a piece of a stream: later, p99",
      value: median(added.map(({ p99 }) => p99)),
      unit: "ms",
      atMost: 1,
    },
  ];
}

/** Milliseconds from each piece's writing to its arrival. */
async function delaysOf(connection: Connection): Promise<number[]> {
  const delays: number[] = [];
  await connection.ask(REQUEST, (text) => {
    const now = sharedClock();
    for (const [, stamp] of text.matchAll(/@(\d+)@/g)) delays.push(Number(now - BigInt(stamp!)) / 1e6);
  });
  if (delays.length !== PACED_PIECES)
    throw new Error(`${delays.length} pieces of ${PACED_PIECES} came whole`);
  return delays;
}
