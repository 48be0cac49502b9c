import { createServer, type Server as HttpServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test, vi } from "vitest";
import { Server, waitMs } from "../../../src/server/dashboard/page/server.js";

type State = Server["state"];

const opened: { server: HttpServer; page: Server }[] = [];
afterEach(() => {
  for (const { server, page } of opened.splice(0)) {
    page.close();
    server.closeAllConnections();
    server.close();
  }
});

/** The page's connection to a server that answers as `listener` does. */
async function connected(listener: RequestListener, options: { silentMs?: number; token?: string } = {}) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const states: State[] = [];
  const events: string[] = [];
  let kept: string | null = options.token ?? null;
  const page = new Server({
    token: {
      get: () => kept,
      set: (token) => {
        kept = token;
      },
    },
    onEvent: (data) => events.push(data),
    onState: (state) => states.push(state),
    fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    firstWaitMs: 5,
    silentMs: options.silentMs ?? 5_000,
  });
  opened.push({ server, page });
  page.connect();
  return { page, states, events, kinds: () => states.map(({ kind }) => kind) };
}

test("events come as they are sent", async () => {
  const { events, kinds } = await connected((_, reply) => {
    reply.writeHead(200, { "content-type": "text/event-stream" });
    reply.write('data: {"type":"queue"}\n\n');
  });

  await vi.waitFor(() => expect(events).toEqual(['{"type":"queue"}']));
  expect(kinds()).toEqual(["connecting", "live"]);
});

test("a stream that breaks is opened anew, and it is told in between", async () => {
  let streams = 0;
  const { states, events } = await connected((_, reply) => {
    reply.writeHead(200).write(`data: ${++streams}\n\n`);
    if (streams < 3) setTimeout(() => reply.destroy(), 5);
  });

  await vi.waitFor(() => expect(events).toEqual(["1", "2", "3"]));
  expect(states.filter(({ kind }) => kind === "disconnected")).toHaveLength(2);
  expect(states.at(-1)).toEqual({ kind: "live" });
});

test("waits double while nobody answers, up to 15 s, half of them by chance", () => {
  expect([0, 1, 2, 5, 40].map((failures) => waitMs(failures, 1))).toEqual([
    500, 1_000, 2_000, 15_000, 15_000,
  ]);
  expect(waitMs(1, 0)).toBe(500);
});

test("a server that answers with an error is named and tried again", async () => {
  const { states } = await connected((_, reply) => void reply.writeHead(503).end());

  await vi.waitFor(() =>
    expect(states.filter(({ kind }) => kind === "disconnected").length).toBeGreaterThan(3),
  );
  expect(states[1]).toMatchObject({ kind: "disconnected", why: "The server answered 503" });
});

test("a stream without a sign of life is given up", async () => {
  const { states } = await connected((_, reply) => void reply.writeHead(200).write(": hello\n\n"), {
    silentMs: 50,
  });

  await vi.waitFor(() =>
    expect(states).toContainEqual(expect.objectContaining({ why: "The server fell silent" })),
  );
});

test("without the right token it is locked, and tried only when one is given", async () => {
  const asked: (string | undefined)[] = [];
  const { page, states, kinds } = await connected((request, reply) => {
    asked.push(request.headers.authorization);
    if (request.headers.authorization === "Bearer right") reply.writeHead(200).write(": hello\n\n");
    else reply.writeHead(401).end();
  });

  await vi.waitFor(() => expect(states.at(-1)).toEqual({ kind: "locked", wasRefused: false }));
  page.use("wrong");
  await vi.waitFor(() => expect(states.at(-1)).toEqual({ kind: "locked", wasRefused: true }));
  page.use("right");
  await vi.waitFor(() => expect(states.at(-1)).toEqual({ kind: "live" }));
  expect(asked).toEqual([undefined, "Bearer wrong", "Bearer right"]);
  expect(kinds()).not.toContain("disconnected");
});

test("a question has the token, and an answer that is none is an error", async () => {
  const { page } = await connected(
    (request, reply) => {
      reply.writeHead(request.url === "/good" ? 200 : 500);
      reply.end(JSON.stringify({ token: request.headers.authorization }));
    },
    { token: "right" },
  );

  expect(await page.get("/good")).toEqual({ token: "Bearer right" });
  await expect(page.get("/bad")).rejects.toThrow("The server answered 500");
});

test("what it posts is JSON with the token, and a refusal tells its status", async () => {
  const seen: unknown[] = [];
  const { page } = await connected(
    async (request, reply) => {
      if (request.method !== "POST") return void reply.writeHead(503).end();
      const { authorization, "content-type": type } = request.headers;
      seen.push([request.url, authorization, type, await text(request)]);
      reply.writeHead(seen.length > 1 ? 403 : 200).end('{"count": 1}');
    },
    { token: "right" },
  );

  expect(await page.post("/optimization/auto-optimize", { dry_run: true })).toEqual({ count: 1 });
  expect(seen).toEqual([
    ["/optimization/auto-optimize", "Bearer right", "application/json", '{"dry_run":true}'],
  ]);
  await expect(page.post("/optimization/auto-optimize", {})).rejects.toMatchObject({ cause: 403 });
});
