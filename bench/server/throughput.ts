/** Calls per second through the server and through the Portkey gateway, to an upstream that answers at once. */
import type { Figure } from "../figures.js";
import { Connection, posted } from "./connection.js";
import { type Program, portkeyHeaders } from "./programs.js";
import { PLAIN, type Upstream } from "./upstream.js";

const PATH = "/v1/chat/completions";
const CALL = { model: PLAIN, messages: [{ role: "user", content: "How are you today?" }] };

export async function throughput(
  upstream: Upstream,
  optimizer: Program,
  portkey: Program,
  { seconds, warmUpCalls }: { readonly seconds: number; readonly warmUpCalls: number },
): Promise<Figure[]> {
  const figures: Figure[] = [];
  const own = posted(PATH, CALL);
  const theirs = posted(PATH, CALL, portkeyHeaders(upstream.origin));
  await warmUp(optimizer, own, warmUpCalls);
  await warmUp(portkey, theirs, warmUpCalls);
  for (const connections of [10, 100]) {
    let [ours, others] = [0, 0];
    // In turns, so that what else the machine does meets both.
    for (let turn = 0; turn < TURNS; turn++) {
      ours += await callsIn(seconds / TURNS, optimizer, own, connections);
      others += await callsIn(seconds / TURNS, portkey, theirs, connections);
    }
    figures.push(
      { what: `${connections} connections`, value: ours / seconds, unit: "/s" },
      { what: "  the Portkey gateway", value: others / seconds, unit: "/s" },
      {
        what: `  ${connections} connections: times as many as the gateway`,
        value: ours / others,
        unit: "",
        atLeast: 3,
      },
    );
  }
  return figures;
}

const TURNS = 4;

/** Both are compiled as they run: their first thousands of calls cost several times what later ones do. */
async function warmUp(program: Program, request: Buffer, calls: number): Promise<void> {
  const connection = await Connection.open(program.origin);
  for (let call = 0; call < calls; call++) await connection.ask(request);
  connection.close();
}

/** Calls that were answered, each connection with one after the other. */
async function callsIn(
  seconds: number,
  program: Program,
  request: Buffer,
  connections: number,
): Promise<number> {
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(program.origin)));
  const end = performance.now() + 1_000 * seconds;
  let answered = 0;
  await Promise.all(
    open.map(async (connection) => {
      while (performance.now() < end) {
        await connection.ask(request);
        answered++;
      }
      connection.close();
    }),
  );
  return answered;
}
