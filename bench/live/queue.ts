/** Two clients that ask for two windows of one model: loads straight at Ollama, and through the server, where calls take turns. */
import { writeFileSync } from "node:fs";
import { createServerApp, listen } from "../../src/server/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { type Figure, shown } from "../figures.js";
import { machine } from "../machine.js";
import { post, servers } from "./servers.js";

const WINDOWS = [2_048, 4_096];
const CALLS_EACH = 40;
/** A load of the 13 MB model takes 250 ms and more, a warm call 1 to 72. */
const LOAD_MS = 200;

export async function queueBench(model: string): Promise<void> {
  const figures: Figure[] = [];
  for (const version of ["0.34.0", "0.24.0"]) {
    figures.push(await loads(version, model, "alone", async (origin) => ({ origin, end: async () => {} })));
    figures.push(
      await loads(version, model, "through the server", async (upstream) => {
        const server = await listen(createServerApp({ upstream, store: memoryStore() }), { port: 0 });
        return { origin: server.origin, end: () => server.close(1_000) };
      }),
    );
  }
  for (const figure of figures) console.log(shown(figure));
  const report = { machine: machine(), model, calls: WINDOWS.length * CALLS_EACH, figures };
  writeFileSync("reports/bench-live-queue.json", `${JSON.stringify(report, null, 2)}\n`);
}

async function loads(
  version: string,
  model: string,
  way: string,
  open: (upstream: string) => Promise<{ readonly origin: string; readonly end: () => Promise<unknown> }>,
): Promise<Figure> {
  const upstream = await (await servers(version)).fresh();
  try {
    const { origin, end } = await open(upstream.origin);
    let count = 0;
    const client = async (num_ctx: number): Promise<void> => {
      for (let index = 0; index < CALLS_EACH; index++) {
        const messages = [{ role: "user", content: `Call ${index}` }];
        const body = { model, messages, stream: false, options: { num_ctx, num_predict: 2 } };
        const reply = (await (await post(origin, "/api/chat", body)).json()) as { load_duration: number };
        if (reply.load_duration / 1e6 > LOAD_MS) count++;
      }
    };
    await Promise.all(WINDOWS.map(client));
    await end();
    return {
      what: `${version}, ${WINDOWS.length * CALLS_EACH} calls, ${way}: loads`,
      value: count,
      unit: "",
    };
  } finally {
    await upstream.stop();
  }
}
