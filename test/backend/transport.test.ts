import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { fetchTransport, nodeTransport, readBody, type Transport } from "../../src/backend/transport.js";

let server: Server | undefined;

async function listen(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((ready) => server!.listen(0, "127.0.0.1", ready));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const transports: [string, Transport][] = [
  ["node:http", nodeTransport],
  ["the user's fetch", fetchTransport((...args) => fetch(...args))],
];

describe.each(transports)("%s", (_name, transport) => {
  test("sends method, headers and body, and tells status, headers and body", async () => {
    const origin = await listen((request, response) => {
      let body = "";
      request.on("data", (part) => {
        body += part;
      });
      request.on("end", () => {
        response.writeHead(418, { "x-seen": `${request.method} ${request.headers["x-mine"]}` });
        response.end(body.toUpperCase());
      });
    });
    const reply = await transport(`${origin}/x`, {
      method: "POST",
      headers: { "x-mine": "1" },
      body: "hellö",
    });
    expect([reply.status, reply.headers["x-seen"]]).toEqual([418, "POST 1"]);
    expect(new TextDecoder().decode(await readBody(reply))).toBe("HELLÖ");
  });

  test("sends a body in parts as one, with its length", async () => {
    const origin = await listen((request, response) => {
      let body = "";
      request.on("data", (part) => {
        body += part;
      });
      request.on("end", () => response.end(`${request.headers["content-length"]} ${body}`));
    });
    const reply = await transport(origin, { method: "POST", body: [Buffer.from("he"), Buffer.from("llo")] });
    expect(new TextDecoder().decode(await readBody(reply))).toBe("5 hello");
  });

  test("an abort before the reply rejects with its reason and reaches the socket", async () => {
    let closed: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const origin = await listen((request) => request.socket.once("close", () => closed?.()));
    const reason = new Error("enough");
    await expect(transport(origin, { signal: aborting(reason, 50) })).rejects.toBe(reason);
    await gone;
  });

  test("an abort during the reply rejects the reading and reaches the socket", async () => {
    let closed: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const origin = await listen((request, response) => {
      response.write("first");
      request.socket.once("close", () => closed?.());
    });
    const reason = new Error("enough");
    const reply = await transport(origin, { signal: aborting(reason, 100) });
    await expect(readBody(reply)).rejects.toBe(reason);
    await gone;
  });

  test("leaving the body early closes the socket", async () => {
    let closed: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const origin = await listen((request, response) => {
      response.write("first");
      request.socket.once("close", () => closed?.());
    });
    for await (const _ of (await transport(origin)).body) break;
    await gone;
  });

  test("a refused connection rejects", async () => {
    await expect(transport("http://127.0.0.1:9")).rejects.toThrow();
  });
});

test("a request on a kept socket that the server closed meanwhile is sent once more", async () => {
  let requests = 0;
  const origin = await listen((request, response) => {
    requests++;
    // The second request on the kept socket meets a server that has just given it up.
    if (requests === 2) request.socket.resetAndDestroy();
    else response.end("ok");
  });
  await readBody(await nodeTransport(origin));
  const again = await readBody(await nodeTransport(origin));
  expect(new TextDecoder().decode(again)).toBe("ok");
  expect(requests).toBe(3);
});

test("a body that fails rejects with its failure, on a kept socket too", async () => {
  const origin = await listen((request, response) => void request.resume().on("end", () => response.end()));
  // biome-ignore lint/correctness/useYield: it fails before its first part.
  async function* failing(): AsyncGenerator<Uint8Array> {
    throw new Error("too large");
  }
  for (const _ of ["a new socket", "a kept one"]) {
    await expect(nodeTransport(origin, { method: "POST", body: failing() })).rejects.toThrow("too large");
    await readBody(await nodeTransport(origin));
  }
});

test.each([
  ["s%20t", "s t"],
  // Typed as it is: the sign escapes nothing.
  ["100%", "100%"],
  ["p@ss%ff%", "p@ss%ff%"],
])("credentials of the address become a header, as fetch refuses them: %s", async (typed, password) => {
  const origin = await listen((request, response) => response.end(request.headers.authorization));
  const reply = await nodeTransport(origin.replace("http://", `http://me:${typed}@`));
  expect(new TextDecoder().decode(await readBody(reply))).toBe(`Basic ${btoa(`me:${password}`)}`);
});

function aborting(reason: Error, afterMs: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), afterMs);
  return controller.signal;
}

describe("a reply that was told to its end", () => {
  /** Its end comes after a while, as from a server that writes it by itself. */
  const slowEnd: RequestListener = (_request, response) => {
    response.write("all of it\n");
    setTimeout(() => response.end(), 20);
  };

  async function leave(origin: string, isReleased: boolean): Promise<void> {
    const reply = await nodeTransport(origin);
    for await (const _ of reply.body) {
      if (isReleased) reply.release?.();
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 60));
  }

  test("keeps its connection when it is released, and only then", async () => {
    let connections = 0;
    const origin = await listen(slowEnd);
    server!.on("connection", () => connections++);
    for (let times = 0; times < 3; times++) await leave(origin, true);
    expect(connections).toBe(1);
    for (let times = 0; times < 3; times++) await leave(origin, false);
    expect(connections).toBe(3);
  });

  test("may be aborted while its connection ends: no error that nobody hears ends the program", async () => {
    const origin = await listen((_request, response) => {
      response.write("last line");
      response.end();
    });
    const unheard: unknown[] = [];
    const hear = (error: unknown) => unheard.push(error);
    process.on("uncaughtException", hear);
    try {
      for (let turn = 0; turn < 30; turn++) {
        const stop = new AbortController();
        const reply = await nodeTransport(origin, { signal: stop.signal });
        const body = reply.body[Symbol.asyncIterator]();
        await body.next();
        reply.release?.();
        await body.return?.(undefined);
        // At every moment of the end, in turn.
        for (let wait = 0; wait < turn % 10; wait++) await new Promise((done) => process.nextTick(done));
        if (turn >= 20) await new Promise((done) => setImmediate(done));
        stop.abort();
        await new Promise((done) => setTimeout(done, 2));
      }
    } finally {
      process.off("uncaughtException", hear);
    }
    expect(unheard).toEqual([]);
  });

  test("loses it when the server does not end", async () => {
    let isClosed = false;
    const origin = await listen((request, response) => {
      request.socket.once("close", () => {
        isClosed = true;
      });
      response.write("all of it\n");
    });
    await leave(origin, true);
    expect(isClosed).toBe(false);
    await expect.poll(() => isClosed, { timeout: 10_000 }).toBe(true);
  });
});
