/**
 * The server's figures beside those of its upstream and of the Portkey gateway. Upstream, server, gateway and client
 * share the machine: on two cores they take turns.
 */
import type { Benchmark, Figure } from "../figures.js";
import { addedTime } from "./addedTime.js";
import { chunkDelay } from "./chunkDelay.js";
import { memory } from "./memory.js";
import { startBareProxy, startOptimizer, startPortkey } from "./programs.js";
import { throughput } from "./throughput.js";
import { startUpstream } from "./upstream.js";

const SHORT = { addedSeconds: 3, chunkSeconds: 3, load: { seconds: 4, warmUpCalls: 500 }, calls: 5_000 };
const LONG = {
  addedSeconds: 25,
  chunkSeconds: 10,
  load: { seconds: 16, warmUpCalls: 8_000 },
  calls: 100_000,
};

export const server: Benchmark = { title: "The server, beside the Portkey gateway", run };

async function run({ short }: { readonly short: boolean }): Promise<readonly Figure[]> {
  const { addedSeconds, chunkSeconds, load, calls } = short ? SHORT : LONG;
  const upstream = await startUpstream();
  const optimizer = await startOptimizer(upstream.origin);
  const bareProxy = await startBareProxy(upstream.origin);
  const portkey = await startPortkey();
  try {
    return [
      ...(await addedTime(upstream, optimizer, bareProxy, portkey, addedSeconds)),
      ...(await throughput(upstream, optimizer, portkey, load)),
      ...(await chunkDelay(upstream, optimizer, chunkSeconds)),
      ...(await afterManyCalls(upstream.origin, calls)),
    ];
  } finally {
    await Promise.all([optimizer.stop(), bareProxy.stop(), portkey.stop()]);
    upstream.stop();
  }
}

/** Of a server that has done nothing yet. */
async function afterManyCalls(upstream: string, calls: number): Promise<Figure[]> {
  const fresh = await startOptimizer(upstream);
  return memory(fresh, calls).finally(() => fresh.stop());
}
