import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import type { Alert } from "../../src/monitor/index.js";
import { webhook } from "../../src/monitor/webhook.js";

const alert = { type: "raised", at: "2025-06-18T12:00:00Z", repeats: 0, anomaly: { key: "k" } } as Alert;

let server: Server | undefined;
afterEach(() => server?.close());

interface Posted {
  readonly request: IncomingMessage;
  readonly body: string;
}

/** A receiver that answers with these statuses, one after the other; 0 is silence. */
async function receiver(...statuses: readonly number[]): Promise<{ url: string; posted: Posted[] }> {
  const posted: Posted[] = [];
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const status = statuses[posted.length] ?? 200;
    posted.push({ request, body });
    if (status > 0) response.writeHead(status, { location: "/elsewhere" }).end("thanks");
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=secret`, posted };
}

const PATIENCE = 10_000;
const silent = { warn: () => {} };

test("an alert is posted as JSON with the headers that were given", async () => {
  const { url, posted } = await receiver(200);
  webhook({ url, headers: { "x-key": "1" } }, silent)(alert);

  await vi.waitFor(() => expect(posted).toHaveLength(1), PATIENCE);
  expect(JSON.parse(posted[0]!.body)).toEqual(alert);
  expect(posted[0]!.request).toMatchObject({
    method: "POST",
    url: "/hook?key=secret",
    headers: { "content-type": "application/json", "x-key": "1" },
  });
});

test.each([
  [500, "status 500"],
  [302, "status 302"],
  [0, "TimeoutError"],
])(
  "a receiver that answers %i is asked once more, then it is said without the address",
  async (status, why) => {
    const { url, posted } = await receiver(status, status, 200);
    const warnings: string[] = [];
    const logger = { warn: (text: string) => void warnings.push(text) };
    webhook({ url, timeoutMs: status === 0 ? 100 : PATIENCE, retryAfterMs: 1 }, logger)(alert);

    await vi.waitFor(() => expect(warnings).toHaveLength(1), PATIENCE);
    expect(posted).toHaveLength(2);
    expect(warnings[0]).toContain(why);
    expect(warnings[0]).not.toContain("secret");
  },
);

test("a receiver that works the second time is no failure", async () => {
  const { url, posted } = await receiver(503, 204);
  const warnings: string[] = [];
  webhook({ url, retryAfterMs: 1 }, { warn: (text) => void warnings.push(text) })(alert);

  await vi.waitFor(() => expect(posted).toHaveLength(2), PATIENCE);
  expect(warnings).toEqual([]);
});

test("alerts arrive in their order, also where the first needs a second try and the logger throws", async () => {
  const { url, posted } = await receiver(503, 503, 503, 200);
  const tell = webhook(
    { url, retryAfterMs: 20 },
    {
      warn: () => {
        throw new Error("full");
      },
    },
  );
  tell(alert);
  tell({ ...alert, type: "recovered" });

  await vi.waitFor(() => expect(posted).toHaveLength(4), PATIENCE);
  expect(posted.map(({ body }) => JSON.parse(body).type)).toEqual([
    "raised",
    "raised",
    "recovered",
    "recovered",
  ]);
});

test.each(["nowhere", "file:///etc/passwd", ""])("%j is no address to post to", (url) => {
  expect(() => webhook({ url }, silent)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});
