/** What one streamed chat takes longer through the server than straight from its upstream, one call at a time. */
import { type Figure, median, quantile } from "../figures.js";
import { Connection, posted } from "./connection.js";
import { type Program, portkeyHeaders, processorMs } from "./programs.js";
import { PLAIN, type Upstream } from "./upstream.js";

const WARM_UP = 300;
/** Calls of one block; what is told is the median of the blocks: other programs hold up some of them. */
const BLOCK = 200;

const messages = [
  { role: "user", content: "What is the capital of France, and how many people live there?" },
];
const STREAMED = { model: PLAIN, messages, stream: true };

export async function addedTime(
  upstream: Upstream,
  optimizer: Program,
  bareProxy: Program,
  portkey: Program,
  blocks: number,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const path of ["/api/chat", "/v1/chat/completions"]) {
    const request = posted(path, STREAMED);
    const added = await compared(upstream.origin, optimizer, request, request, blocks);
    const bare = await compared(upstream.origin, bareProxy, request, request, blocks);
    figures.push(
      { what: `${path} streamed: upstream alone, p50`, value: added.alone, unit: "ms" },
      { what: `${path} streamed: added, p50`, value: added.p50, unit: "ms", atMost: 0.3 },
      { what: `${path} streamed: added, p99`, value: added.p99, unit: "ms", atMost: 2 },
      { what: "  by a proxy that decides nothing, p50", value: bare.p50, unit: "ms" },
      { what: "  by a proxy that decides nothing, p99", value: bare.p99, unit: "ms" },
      ...processorTime(`${path} streamed`, added.processorMs),
    );
  }
  const whole = { ...STREAMED, stream: false };
  const path = "/v1/chat/completions";
  const plain = posted(path, whole);
  const named = posted(path, whole, portkeyHeaders(upstream.origin));
  const ours = await compared(upstream.origin, optimizer, plain, plain, blocks);
  const theirs = await compared(upstream.origin, portkey, plain, named, blocks);
  figures.push(
    { what: `${path} whole: added, p50`, value: ours.p50, unit: "ms" },
    ...processorTime(`${path} whole`, ours.processorMs),
    { what: "  by the Portkey gateway, p50", value: theirs.p50, unit: "ms" },
    ...processorTime("  by the Portkey gateway", theirs.processorMs),
  );
  return figures;
}

interface Added {
  readonly alone: number;
  readonly p50: number;
  readonly p99: number;
  readonly processorMs: number | null;
}

/** In turns, so that what else the machine does meets both. */
async function compared(
  upstream: string,
  program: Program,
  direct: Buffer,
  through: Buffer,
  blocks: number,
): Promise<Added> {
  const [near, far] = [await Connection.open(upstream), await Connection.open(program.origin)];
  const timed = async (connection: Connection, request: Buffer): Promise<number> => {
    const began = performance.now();
    await connection.ask(request);
    return performance.now() - began;
  };
  for (let call = 0; call < WARM_UP; call++) {
    await timed(near, direct);
    await timed(far, through);
  }
  const before = processorMs(program);
  const found: { alone: number; p50: number; p99: number }[] = [];
  for (let block = 0; block < blocks; block++) {
    const times: [number[], number[]] = [[], []];
    for (let call = 0; call < BLOCK; call++) {
      times[0].push(await timed(near, direct));
      times[1].push(await timed(far, through));
    }
    const [alone, both] = times.map((list) => list.sort((a, b) => a - b)) as [number[], number[]];
    const at = (share: number): number => quantile(both, share) - quantile(alone, share);
    found.push({ alone: quantile(alone, 0.5), p50: at(0.5), p99: at(0.99) });
  }
  const after = processorMs(program);
  near.close();
  far.close();
  return {
    alone: median(found.map(({ alone }) => alone)),
    p50: median(found.map(({ p50 }) => p50)),
    p99: median(found.map(({ p99 }) => p99)),
    processorMs: before === null || after === null ? null : (after - before) / (blocks * BLOCK),
  };
}

/** Hardly longer on a busy machine, unlike the time that passes. */
function processorTime(what: string, value: number | null): Figure[] {
  return value === null ? [] : [{ what: `${what}: processor time of a call`, value, unit: "ms" }];
}
