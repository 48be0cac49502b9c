/** A thousand streams at once, half of them cut by their clients, and readers that take their time. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startParallelOllama } from "./parallelOllama.js";
import { pair, user, words } from "./support.js";

const STREAMS = 1_000;
const patience = { timeout: 30_000, interval: 50 };

const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;

function request(path: string): string {
  const body = JSON.stringify({ model: "tiny", messages: user("hello"), stream: true });
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Asks over a socket of its own, and waits for what comes. */
function asking(port: string, path: string) {
  const socket = connect(Number(port), "127.0.0.1");
  let text = "";
  let check = (): void => {};
  socket.setEncoding("latin1").on("data", (part: unknown) => {
    text += part as string;
    check();
  });
  socket.on("error", () => {});
  socket.write(request(path));
  const until = (what: string): Promise<string> =>
    new Promise((resolve) => {
      check = () => {
        if (text.includes(what)) resolve(text);
      };
      check();
    });
  return { socket, until };
}

test(`${STREAMS} streams at once: those whose clients leave end upstream within a second, the others run to their end`, {
  timeout: 180_000,
}, async () => {
  await using ollama = await startParallelOllama();
  await using servers = await pair({}, { upstream: ollama.origin });
  const { port } = new URL((await servers.listen()).origin);
  const before = openSockets();

  const clients = Array.from({ length: STREAMS }, (_, index) =>
    asking(port, index % 2 ? "/api/chat" : "/v1/chat/completions"),
  );
  await Promise.all(clients.map(({ until }) => until("piece")));
  expect(ollama.running()).toBe(STREAMS);

  // Both surfaces are in each half.
  const leaves = (_: unknown, index: number): boolean => index % 4 < 2;
  for (const { socket } of clients.filter(leaves)) socket.destroy();
  const leftAt = performance.now();
  const worked = process.cpuUsage();
  await expect.poll(ollama.running, { timeout: 30_000, interval: 5 }).toBe(STREAMS / 2);
  const endedMs = Math.round(performance.now() - leftAt);
  const { user: inUser, system } = process.cpuUsage(worked);
  const workedMs = Math.round((inUser + system) / 1_000);
  console.log(
    `${STREAMS / 2} upstream calls ended within ${endedMs} ms of their clients' leaving, of which ${workedMs} ms were work`,
  );
  // On a machine that is busy with other programs, clients, server and Ollama get a share of its time only.
  expect(Math.min(endedMs, workedMs)).toBeLessThan(1_000);
  expect(endedMs).toBeLessThan(20_000);

  ollama.endAll();
  for (const { socket, until } of clients.filter((client, index) => !leaves(client, index))) {
    expect(await until("\r\n0\r\n\r\n")).toMatch(/"done":true|\[DONE\]/);
    socket.destroy();
  }
  expect(ollama.running()).toBe(0);
  await expect.poll(openSockets, patience).toBeLessThanOrEqual(before);
  const { running, queue } = await servers.snapshot();
  expect({ running, waiting: queue.waiting }).toEqual({ running: [], waiting: 0 });
  const errors: (string | null)[] = [];
  for await (const { error } of servers.store.requests()) errors.push(error);
  expect(errors).toHaveLength(STREAMS);
  expect(errors.filter((error) => error === "ABORTED")).toHaveLength(STREAMS / 2);
  expect(errors.filter((error) => error === null)).toHaveLength(STREAMS / 2);
});

test("readers that take nothing hold up nobody, and little is kept for them", {
  timeout: 60_000,
}, async () => {
  let made = 0;
  let asked = 0;
  const piece = Buffer.from(
    `${JSON.stringify({ model: "tiny", message: { content: words(2_000) }, done: false })}\n`,
  );
  const ollama = createServer((request, reply) => {
    request.resume();
    if (request.url !== "/api/chat") return reply.writeHead(404).end("{}");
    asked++;
    const more = (): void => {
      while (!reply.destroyed && reply.write(piece)) made++;
    };
    reply.on("drain", more);
    return more();
  });
  ollama.listen(0, "127.0.0.1");
  await once(ollama, "listening");
  const upstream = `http://127.0.0.1:${(ollama.address() as AddressInfo).port}`;
  await using servers = await pair({}, { upstream });
  const { origin } = await servers.listen();
  const slow = Array.from({ length: 20 }, () => connect(Number(new URL(origin).port), "127.0.0.1"));
  // Nobody listens for what comes.
  for (const socket of slow) socket.write(request("/api/chat"));
  await expect.poll(() => asked, patience).toBe(slow.length);
  let before = -1;
  // What nobody takes is not made: Ollama itself comes to a halt.
  await expect
    .poll(
      () => {
        const isStill = made === before;
        before = made;
        return isStill;
      },
      { timeout: 30_000, interval: 300 },
    )
    .toBe(true);
  const kept = (made * piece.byteLength) / slow.length;
  expect(kept).toBeLessThan(32 * 2 ** 20);
  const began = performance.now();
  const reply = await fetch(`${origin}/health`);
  await reply.text();
  expect(performance.now() - began).toBeLessThan(3_000);
  const connections = promisify(ollama.getConnections.bind(ollama));
  for (const socket of slow) socket.destroy();
  await expect.poll(async () => (await servers.snapshot()).running.length, patience).toBe(0);
  await expect.poll(connections, patience).toBeLessThan(slow.length);
  ollama.closeAllConnections();
  ollama.close();
});
