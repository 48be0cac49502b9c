import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { answer } from "../../src/server/answer.js";
import { noteExchange } from "../../src/server/exchange.js";
import { listen } from "../../src/server/index.js";
import { pair } from "./support.js";

/** What a client gets of a reply, part by part, when it is written to a socket. */
async function partsAtASocket(parts: AsyncIterable<string>): Promise<string[]> {
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    const request = new Request("http://localhost/");
    noteExchange(request, { incoming, outgoing });
    void answer(request, { status: 200, headers: {}, body: { parts, upstream: new AbortController() } });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const reply = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const got: string[] = [];
  const decoder = new TextDecoder();
  for await (const part of reply.body!) got.push(decoder.decode(part));
  server.close();
  return got;
}

async function* inTurns(...turns: readonly (readonly string[])[]): AsyncGenerator<string> {
  for (const texts of turns) {
    yield* texts;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

describe("an answer", () => {
  test("at a socket: what comes in one turn of the event loop is one part, and nothing waits for the next turn", async () => {
    expect(await partsAtASocket(inTurns(["a", "b"], ["c"], ["d", "e", "ü"]))).toEqual(["ab", "c", "deü"]);
  });

  test("is a Response where an application is part of another, so that the other may change it", async () => {
    await using servers = await pair();
    const outer = new Hono();
    outer.use(async (asked, next) => {
      await next();
      asked.res.headers.set("x-outer", "seen");
    });
    outer.mount("/", servers.app.fetch);
    const listener = await listen(outer, { port: 0 });
    const reply = await fetch(`${listener.origin}/api/chat`, {
      method: "POST",
      body: JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "hello" }] }),
    });
    expect(reply.headers.get("x-outer")).toBe("seen");
    expect((await reply.text()).trim().split("\n").at(-1)).toContain('"done":true');
    await listener.close(1_000);
  });
});
