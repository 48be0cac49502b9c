import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { createServerApp, listen } from "../../src/server/index.js";
import { partsOf } from "../../src/server/requestBody.js";
import { memoryStore } from "../../src/storage/memory.js";
import { scriptedEngine } from "../../src/testing/index.js";
import { pair, user, words } from "./support.js";

const patience = { timeout: 10_000 };
const MEBIBYTE = Buffer.alloc(2 ** 20, "x");

/** The server before an upstream that only counts and answers. */
async function upstreamThat(answer: (request: IncomingMessage, reply: ServerResponse) => void) {
  const upstream = createServer(answer);
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const app = createServerApp({ upstream: origin, store: memoryStore(), allowAdmin: true });
  const listener = await listen(app, { port: 0 });
  return {
    origin: listener.origin,
    upstream,
    async [Symbol.asyncDispose]() {
      upstream.closeAllConnections();
      upstream.close();
      await listener.close(100);
    },
  };
}

/** An upload of so many MiB whose length is announced. */
function upload(origin: string, mebibytes: number) {
  const request = httpRequest(`${origin}/api/blobs/sha256:00`, {
    method: "POST",
    headers: { "content-length": mebibytes * MEBIBYTE.length },
  });
  const answered = new Promise<number>((resolve, reject) => {
    request.on("response", (reply) => {
      reply.resume();
      resolve(reply.statusCode!);
    });
    request.on("error", reject);
  });
  const send = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++) {
      if (!request.write(MEBIBYTE)) await new Promise((resolve) => request.once("drain", resolve));
    }
  };
  return { request, answered, send };
}

describe("files that clients upload", () => {
  test("go through part by part, beyond the body limit and at flat memory", async () => {
    let received = 0;
    let announced: string | undefined;
    await using servers = await upstreamThat((request, reply) => {
      announced = request.headers["content-length"];
      request.on("data", (part: Buffer) => {
        received += part.length;
      });
      request.on("end", () => reply.writeHead(201).end());
    });
    const { request, answered, send } = upload(servers.origin, 512);
    await send(64);
    const before64 = process.memoryUsage.rss();
    await send(448);
    request.end();
    expect(await answered).toBe(201);
    expect(received).toBe(512 * MEBIBYTE.length);
    expect(announced).toBe(String(received));
    expect(process.memoryUsage.rss() - before64).toBeLessThan(64 * 2 ** 20);
  });

  test("an upstream that takes slowly slows the client down", async () => {
    let received = 0;
    await using servers = await upstreamThat((request) => {
      request.once("data", (part: Buffer) => {
        received += part.length;
        request.pause();
      });
    });
    const { request, answered, send } = upload(servers.origin, 256);
    answered.catch(() => {});
    let isSent = false;
    void send(256).then(() => {
      isSent = true;
    });
    await expect.poll(() => received, patience).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(isSent).toBe(false);
    request.destroy();
  });

  test("a client that leaves ends the upload upstream", async () => {
    let isAborted = false;
    await using servers = await upstreamThat((request) => {
      request.resume();
      request.on("close", () => {
        isAborted = !request.complete;
      });
    });
    const { request, answered, send } = upload(servers.origin, 64);
    answered.catch(() => {});
    await send(2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    request.destroy();
    await expect.poll(() => isAborted, patience).toBe(true);
  });

  test("an upstream that refuses early is heard, one that dies is a 502", async () => {
    await using refusing = await upstreamThat((_, reply) => reply.writeHead(400).end("bad digest"));
    const first = upload(refusing.origin, 64);
    void first.send(64).catch(() => {});
    first.request.on("error", () => {});
    expect(await first.answered).toBe(400);
    first.request.destroy();
    await using dying = await upstreamThat((request) => request.once("data", () => request.socket.destroy()));
    const second = upload(dying.origin, 64);
    void second.send(64).catch(() => {});
    expect(await second.answered.catch(() => 502)).toBe(502);
    second.request.destroy();
  });
});

test("a reply without a body leaves no connection in use", async () => {
  let open = 0;
  await using servers = await upstreamThat((request, reply) => {
    if (request.method === "HEAD") reply.end();
    else reply.writeHead(204).end();
  });
  servers.upstream.keepAliveTimeout = 0;
  servers.upstream.on("connection", (socket) => {
    open++;
    socket.once("close", () => {
      open--;
    });
  });
  for (let call = 0; call < 5; call++) {
    expect((await fetch(servers.origin, { method: "HEAD" })).status).toBe(200);
    expect((await fetch(`${servers.origin}/api/delete`, { method: "DELETE" })).status).toBe(204);
  }
  await expect.poll(() => open, patience).toBeLessThan(2);
});

describe("clients that stall", () => {
  const closed = (socket: Socket) => new Promise<void>((resolve) => socket.on("close", () => resolve()));
  const portOf = (origin: string) => Number(new URL(origin).port);

  test("one that stops in the middle of its request is let go", async () => {
    await using servers = await pair();
    const listener = await listen(servers.app, { port: 0, stallMs: 150 });
    const socket = connect(portOf(listener.origin), "127.0.0.1");
    socket.write('POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"model"');
    socket.resume();
    await closed(socket);
    expect(servers.ollama.requests).toEqual([]);
    await listener.close();
  });

  test("one that stops reading is let go, and its upstream call ends", async () => {
    async function* chunks() {
      for (;;) yield words(2_000);
    }
    await using servers = await pair({ engine: scriptedEngine({ reply: { chunks: chunks() } }) });
    const listener = await listen(servers.app, { port: 0, stallMs: 150 });
    const body = JSON.stringify({ model: "tiny", messages: user("hello"), options: { num_ctx: 32_768 } });
    const socket = connect(portOf(listener.origin), "127.0.0.1");
    socket.pause();
    socket.write(
      `POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    await expect.poll(() => servers.ollama.state()[0]?.users, patience).toBe(1);
    await expect.poll(() => servers.ollama.state()[0]?.users, patience).toBe(0);
    socket.destroy();
    await listener.close();
  });

  test("one that waits for Ollama is left alone", async () => {
    const engine = scriptedEngine({ reply: { content: "a b", delayMs: 600 } });
    await using servers = await pair({ engine, realTime: true, loadMs: 10 });
    const listener = await listen(servers.app, { port: 0, stallMs: 100 });
    const reply = await fetch(`${listener.origin}/api/chat`, {
      method: "POST",
      body: JSON.stringify({ model: "tiny", messages: user("hello"), stream: false }),
    });
    expect(reply.status).toBe(200);
    expect(await reply.text()).toContain('"done":true');
    await listener.close();
  });

  test("one that closes its side has left: its upstream call ends, and the server goes on", async () => {
    const engine = scriptedEngine({ reply: { content: "a b", delayMs: 60_000 } });
    await using servers = await pair({ engine, realTime: true, loadMs: 10 });
    const { origin } = await servers.listen();
    const body = JSON.stringify({ model: "tiny", messages: user("hello") });
    const socket = connect({ port: portOf(origin), host: "127.0.0.1", allowHalfOpen: true });
    socket.write(
      `POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    await expect.poll(() => servers.ollama.state()[0]?.users, patience).toBe(1);
    socket.resume().end();
    await closed(socket);
    await expect.poll(() => servers.ollama.state()[0]?.users, patience).toBe(0);
    expect((await fetch(`${origin}/api/version`)).status).toBe(200);
  });

  test("one that leaves in the middle of its request is no failure of the server", async () => {
    await using servers = await pair();
    const { origin } = await servers.listen();
    const socket = connect(portOf(origin), "127.0.0.1");
    const head = "POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n";
    await new Promise((resolve) => socket.write(`${head}{"model"`, resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await closed(socket);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(servers.warnings).toEqual([]);
  });

  test("a body that drips is given up", async () => {
    let time = 0;
    const drops = new ReadableStream<Uint8Array>({
      pull(controller) {
        time += 1_000;
        controller.enqueue(new Uint8Array(10));
      },
    });
    const request = new Request("http://localhost/", {
      method: "POST",
      body: drops,
      duplex: "half",
    } as RequestInit);
    const read = async () => {
      for await (const _ of partsOf(request, 2 ** 20, () => time));
    };
    await expect(read()).rejects.toMatchObject({ code: "BODY_TOO_SLOW" });
    expect(time).toBeLessThan(40_000);
  });
});
