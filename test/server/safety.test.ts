import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasToken, isTrustedHost, isTrustedOrigin } from "../../src/server/guard.js";
import { createServerApp, listen } from "../../src/server/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { scriptedEngine } from "../../src/testing/index.js";
import { pair, user } from "./support.js";

describe("who may ask", () => {
  test("a page that lets its own name point here is refused", async () => {
    await using servers = await pair();
    const status = async (host: string) =>
      (await servers.app.request("/api/tags", { headers: { host } })).status;
    expect(await status("evil.example:11435")).toBe(403);
    expect(await status("127.0.0.1.evil.example")).toBe(403);
    expect(await status("localhost@evil.example")).toBe(403);
    for (const host of ["localhost:1", "127.0.0.1", "[::1]:11435", "192.168.0.5:80"])
      expect(await status(host)).toBe(200);
  });

  test("programs of OpenAI's API are refused in its own form", async () => {
    await using servers = await pair();
    const headers: Record<string, string>[] = [{ host: "evil.example" }, { origin: "https://evil.example" }];
    for (const header of headers) {
      const reply = await servers.app.request("/v1/models", { headers: header });
      expect(reply.status).toBe(403);
      expect(await reply.json()).toEqual({
        error: {
          message: expect.stringContaining("not allowed"),
          type: "request_forbidden",
          param: null,
          code: "forbidden",
        },
      });
    }
  });

  test("a page from elsewhere is refused before its call costs anything", async () => {
    await using servers = await pair();
    const call = { model: "tiny", messages: user("hello") };
    for (const origin of [
      "https://evil.example",
      "null",
      "http://192.168.0.5",
      "file://",
      "http://localhost.evil.example",
    ]) {
      expect((await servers.post("/api/chat", call, { origin })).status, origin).toBe(403);
    }
    expect(servers.ollama.requests).toHaveLength(0);
    expect((await servers.post("/api/chat", call, { origin: "http://localhost:3000" })).status).toBe(200);
  });

  test("the page of this very server may ask, by whatever permitted name or address it was opened", async () => {
    const cache = { ttlSeconds: 60 };
    await using servers = await pair({}, { token: "right", hosts: ["my.lan"], cache });
    const status = async (origin: string, host: string) =>
      (
        await servers.post(
          "/optimization/cache/invalidate",
          { all: true },
          { origin, host, authorization: "Bearer right" },
        )
      ).status;
    expect(await status("http://192.168.0.5:11435", "192.168.0.5:11435")).toBe(200);
    expect(await status("http://192.168.0.5", "192.168.0.5:80")).toBe(200);
    expect(await status("http://[2001:db8::1]:11435", "[2001:DB8:0::1]:11435")).toBe(200);
    expect(await status("http://my.lan:11435", "MY.lan:11435")).toBe(200);
    for (const [origin, host] of [
      ["http://192.168.0.5:3000", "192.168.0.5:11435"],
      ["http://192.168.0.5", "192.168.0.5:11435"],
      ["http://192.168.0.7:11435", "192.168.0.5:11435"],
      ["http://192.168.0.5.evil.example:11435", "192.168.0.5:11435"],
      ["http://192.168.0.5:11435@evil.example", "192.168.0.5:11435"],
      ["null", "null"],
      ["http://evil.example:11435", "127.0.0.1:11435"],
      // Pointed here by its own name: its host is refused, whatever its origin.
      ["http://evil.example:11435", "evil.example:11435"],
      ["http://localhost:11435", "evil.example:11435"],
    ] as const) {
      expect(await status(origin, host), `${origin} at ${host}`).toBe(403);
    }
    const noToken = { origin: "http://192.168.0.5:11435", host: "192.168.0.5:11435" };
    expect((await servers.post("/optimization/cache/invalidate", { all: true }, noToken)).status).toBe(401);
  });

  test("a page of this machine may ask whether it may ask, and read what it is told, as with Ollama", async () => {
    await using servers = await pair({}, { token: "secret", hosts: ["my.lan"] });
    const { origin } = await servers.listen();
    for (const page of ["http://localhost:3000", "https://my.lan"]) {
      const asked = await fetch(`${origin}/api/chat`, {
        method: "OPTIONS",
        headers: {
          origin: page,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization,content-type",
        },
      });
      expect(asked.status).toBe(204);
      expect(asked.headers.get("access-control-allow-origin")).toBe(page);
      expect(asked.headers.get("access-control-allow-methods")).toContain("POST");
      expect(asked.headers.get("access-control-allow-headers")).toMatch(/authorization,\s*content-type/);
      const reply = await fetch(`${origin}/api/chat`, {
        method: "POST",
        headers: { origin: page, authorization: "Bearer secret" },
        body: JSON.stringify({ model: "tiny", messages: user("hello") }),
      });
      expect(reply.headers.get("access-control-allow-origin")).toBe(page);
      expect(reply.headers.get("access-control-expose-headers")).toBe("*");
      expect(reply.headers.get("x-optimizer-num-ctx")).toBe("4096");
      expect((await reply.text()).trim().split("\n").length).toBeGreaterThan(1);
    }
    const wrong = await servers.post("/v1/models", {}, { origin: "http://localhost:3000" });
    expect([wrong.status, wrong.headers.get("access-control-allow-origin")]).toEqual([
      401,
      "http://localhost:3000",
    ]);
    const evil = { method: "OPTIONS", headers: { origin: "https://evil.example" } };
    const refused = await servers.app.request("/api/chat", evil);
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    const plain = await servers.app.request("/api/version", { headers: { authorization: "Bearer secret" } });
    expect(plain.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("no name but localhost and listed ones is trusted", () => {
    fc.assert(
      fc.property(fc.domain(), (name) => {
        expect(isTrustedHost(`${name}:80`, [])).toBe(false);
        expect(isTrustedOrigin(`https://${name}`, [], "127.0.0.1:80")).toBe(false);
        expect(isTrustedHost(name, [name])).toBe(true);
      }),
    );
  });

  test("with a token every route asks for it, and it is not sent on", async () => {
    let seen: Readonly<Record<string, string>> | undefined;
    const { nodeTransport } = await import("../../src/backend/transport.js");
    await using servers = await pair(
      {},
      {
        token: "right",
        transport: (url, init) => {
          seen = init?.headers;
          return nodeTransport(url, init);
        },
      },
    );
    for (const path of ["/", "/health", "/api/tags", "/api/pull"]) {
      expect((await servers.app.request(path)).status).toBe(401);
      expect((await servers.app.request(path, { headers: { authorization: "Bearer wrong" } })).status).toBe(
        401,
      );
    }
    expect(
      (await servers.app.request("/api/tags", { headers: { authorization: "Bearer right" } })).status,
    ).toBe(200);
    expect(Object.keys(seen ?? {})).not.toContain("authorization");
  });

  test("credentials of the upstream are sent as a header and never told to clients", async () => {
    const seen: [string, unknown][] = [];
    await using servers = await pair(
      {},
      {
        upstream: "http://name:pass%20word%@127.0.0.1:9",
        transport: async (url, init) => {
          seen.push([url, init?.headers?.authorization]);
          throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
        },
      },
    );
    const reply = await servers.post("/api/chat", { model: "tiny", messages: user("hello") });
    expect(await reply.text()).not.toMatch(/name|pass|word/);
    expect(seen.length).toBeGreaterThan(0);
    for (const [url, authorization] of seen) {
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:9\/api\//);
      expect(authorization).toBe(`Basic ${btoa("name:pass word%")}`);
    }
  });

  test("only the token itself is the token", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[!-~]{1,40}$/), fc.stringMatching(/^[!-~]{1,40}$/), (token, other) => {
        expect(hasToken(`Bearer ${token}`, token)).toBe(true);
        expect(hasToken(`Bearer ${other}`, token)).toBe(other === token);
        expect(hasToken(token, token)).toBe(false);
      }),
    );
  });
});

describe("limits", () => {
  test("JSON that is nested too deep gets 400 in the words of its API, and does no harm", async () => {
    await using servers = await pair();
    const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
    const chat = (more: string) =>
      `{"model":"tiny","messages":[{"role":"user","content":"a"}],"format":${more},"stream":false}`;
    for (const levels of [2_000, 20_000, 200_000]) {
      for (const path of ["/api/chat", "/api/embed", "/optimization/tokenize", "/optimization/ratings"]) {
        const reply = await servers.post(path, chat(nested(levels)));
        expect([reply.status, await reply.json()], `${path} ${levels}`).toEqual([
          400,
          { error: expect.stringContaining("more than 1000 levels") },
        ]);
      }
      const reply = await servers.post("/v1/chat/completions", chat(`[${nested(levels)}]`));
      expect([reply.status, await reply.json()]).toEqual([
        400,
        {
          error: {
            message: expect.stringContaining("more than 1000 levels"),
            type: "invalid_request_error",
            param: null,
            code: "body_too_deep",
          },
        },
      ]);
    }
    expect(servers.ollama.requests).toHaveLength(0);
    expect((await servers.post("/api/chat", chat(nested(900)))).status).toBe(200);
    const text = JSON.stringify(`\\"${"[".repeat(5_000)}\\`);
    expect((await servers.post("/api/chat", chat(`{"a":${text},"b":${text}}`))).status).toBe(200);
  });

  test("a request over the limit gets 413, announced or not", async () => {
    await using servers = await pair({}, { bodyLimitBytes: 1_000 });
    expect((await servers.post("/api/chat", "x".repeat(1_001))).status).toBe(413);
    const { origin } = await servers.listen();
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(600)),
    });
    const reply = await fetch(`${origin}/api/show`, {
      method: "POST",
      body: endless,
      duplex: "half",
    } as RequestInit).catch(() => null);
    // The socket may be closed before the client has read the answer.
    expect(reply?.status ?? 413).toBe(413);
    expect(servers.ollama.requests).toHaveLength(0);
  });

  test("a request over the limit gets 413 where it is sent on, over a kept connection too", async () => {
    await using servers = await pair({}, { bodyLimitBytes: 100_000, allowAdmin: true });
    for (const path of ["/api/show", "/api/create", "/api/blobs/../create"]) {
      await (await servers.app.request("/api/version")).text();
      expect((await servers.post(path, "x".repeat(100_001))).status).toBe(413);
    }
  });

  test("bytes that are no HTTP get 400 and do no harm", async () => {
    await using servers = await pair();
    const { origin } = await servers.listen();
    const socket = connect(Number(new URL(origin).port), "127.0.0.1");
    const answer = await new Promise<string>((resolve) => {
      let text = "";
      socket.on("data", (part) => {
        text += part;
      });
      socket.on("close", () => resolve(text));
      socket.end("\u0000\u0001garbage\r\n\r\n");
    });
    expect(answer).toMatch(/^HTTP\/1.1 400/);
    expect((await fetch(`${origin}/api/tags`)).status).toBe(200);
  });
});

describe("listening", () => {
  test("an address that others reach needs a token or an explicit wish", async () => {
    await using servers = await pair();
    await expect(listen(servers.app, { address: "0.0.0.0", port: 0 })).rejects.toMatchObject({
      code: "TOKEN_REQUIRED",
    });
    for (const allowed of [{ hasToken: true }, { insecure: true }]) {
      await (await listen(servers.app, { address: "0.0.0.0", port: 0, ...allowed })).close();
    }
  });

  test("a taken port is named with a remedy", async () => {
    await using servers = await pair();
    const port = Number(new URL((await servers.listen()).origin).port);
    await expect(listen(servers.app, { port })).rejects.toMatchObject({
      code: "PORT_TAKEN",
      message: expect.stringContaining(`${port}`),
    });
  });

  test("closing waits for a reply that runs", async () => {
    const engine = scriptedEngine({ reply: { content: "a b c", chunkDelayMs: 30 } });
    await using servers = await pair({ engine, realTime: true });
    const listener = await servers.listen();
    const body = JSON.stringify({ model: "tiny", messages: user("hello") });
    const reply = await fetch(`${listener.origin}/api/chat`, { method: "POST", body });
    const closing = listener.close();
    expect(await reply.text()).toContain('"done":true');
    await closing;
    await expect(fetch(`${listener.origin}/api/tags`)).rejects.toThrow();
  });
});

describe("closing while clients keep their connections", () => {
  test("replies that run end, and whoever asks again at once is not served for ever", async () => {
    const engine = scriptedEngine({ reply: { content: "a b c d e f", chunkDelayMs: 20 } });
    await using servers = await pair({ engine, realTime: true, loadMs: 1 });
    const listener = await servers.listen();
    const agent = new Agent({ keepAlive: true });
    const body = JSON.stringify({ model: "tiny", messages: user("hello") });
    const ask = () =>
      new Promise<string>((resolve, reject) => {
        const asking = request(`${listener.origin}/api/chat`, { method: "POST", agent }, async (reply) => {
          let text = "";
          for await (const part of reply) text += part;
          resolve(text);
        });
        asking.on("error", reject).end(body);
      });
    let closing: Promise<void> | undefined;
    const ends: string[] = [];
    const late: string[] = [];
    const client = async () => {
      for (;;) {
        const answers = closing ? late : ends;
        answers.push(await ask());
      }
    };
    const clients = [1, 2, 3].map(() => client().catch(() => "refused"));
    await expect.poll(() => ends.length, { timeout: 10_000 }).toBeGreaterThan(5);
    closing = listener.close(5_000);
    expect(await Promise.all(clients)).toEqual(["refused", "refused", "refused"]);
    await closing;
    expect(late).toEqual([]);
    for (const text of ends) expect(text).toContain('"done":true');
    agent.destroy();
  });

  test("a whole reply that waits for a slow reader is not cut", async () => {
    const models = JSON.stringify({ models: [{ name: "x".repeat(2 ** 25) }] });
    const upstream = createServer((_, reply) => reply.end(models)).listen(0, "127.0.0.1");
    await once(upstream, "listening");
    const { port } = upstream.address() as AddressInfo;
    const app = createServerApp({ upstream: `http://127.0.0.1:${port}`, store: memoryStore() });
    const listener = await listen(app, { port: 0 });
    const socket = connect(Number(new URL(listener.origin).port), "127.0.0.1");
    let bytes = 0;
    socket.on("data", (part) => {
      if (bytes === 0) socket.pause();
      bytes += part.length;
    });
    const ended = once(socket, "close");
    socket.write("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await expect.poll(() => bytes, { timeout: 10_000 }).toBeGreaterThan(0);
    const closing = listener.close(5_000);
    await new Promise((resolve) => setTimeout(resolve, 150));
    socket.resume();
    await ended;
    expect(bytes).toBeGreaterThan(2 ** 25);
    await closing;
    upstream.close();
  });
});

describe("a server that is away", () => {
  test("calls get 502 with a reason, health says so, and both recover by themselves", async () => {
    await using servers = await pair();
    const port = Number(new URL(servers.ollama.origin).port);
    await servers.ollama.close();
    const call = { model: "tiny", messages: user("hello"), stream: false };
    const reply = await servers.post("/api/chat", call);
    expect(reply.status).toBe(502);
    expect(await reply.text()).toMatch(/ECONNREFUSED/);
    expect((await servers.app.request("/api/tags")).status).toBe(502);
    expect((await servers.app.request("/health")).status).toBe(503);
    const { startOllamaServer } = await import("../../src/testing/index.js");
    await using _again = await startOllamaServer({ port, models: [{ name: "tiny" }] });
    expect((await servers.app.request("/health")).status).toBe(200);
    expect((await servers.post("/api/chat", call)).status).toBe(200);
  });
});
