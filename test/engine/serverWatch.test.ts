import { describe, expect, test } from "vitest";
import type { Transport, WireReply } from "../../src/backend/transport.js";
import { ServerWatch } from "../../src/engine/serverWatch.js";
import { silentLogger } from "../../src/logger.js";

function reply(status: number, body: unknown): WireReply {
  async function* bytes() {
    yield Buffer.from(JSON.stringify(body));
  }
  return { status, headers: {}, body: bytes() };
}

/** A watch of a server whose `/api/ps` answers as told, on a clock that stands until it is moved. */
function watched(loaded: () => Promise<WireReply>) {
  const clock = { ms: 1_000_000 };
  const asked: string[] = [];
  const transport: Transport = (url) => {
    asked.push(new URL(url).pathname);
    return url.endsWith("/api/ps") ? loaded() : Promise.resolve(reply(200, { models: [] }));
  };
  const watch = new ServerWatch({ origin: "http://gpu-box:11434", transport }, () => clock.ms, silentLogger);
  const looks = () => asked.filter((path) => path === "/api/ps").length;
  return { watch, clock, looks };
}

const nothingLoaded = () => Promise.resolve(reply(200, { models: [] }));

describe("waiting for a look at the server", () => {
  test("the first decision waits, one right after it does not", async () => {
    const { watch } = watched(nothingLoaded);
    await expect(watch.beforeDecision()).resolves.toBeUndefined();
    expect(watch.beforeDecision()).toBeNull();
  });

  test("after a pause in which another client may have come, a decision waits", async () => {
    const { watch, clock, looks } = watched(nothingLoaded);
    await watch.beforeDecision();
    clock.ms += 2_100;
    await expect(watch.beforeDecision()).resolves.toBeUndefined();
    expect(looks()).toBe(2);
  });

  test("while calls follow each other, what is due is asked in the background", async () => {
    const { watch, clock, looks } = watched(nothingLoaded);
    await watch.beforeDecision();
    for (let call = 0; call < 4; call++) {
      clock.ms += 700;
      expect(watch.beforeDecision()).toBeNull();
    }
    expect(looks()).toBe(2);
  });

  test("a look that takes long holds up those that came with it, no later ones", () => {
    const { watch, clock, looks } = watched(() => new Promise(() => {}));
    expect(watch.beforeDecision()).not.toBeNull();
    expect(watch.beforeDecision()).not.toBeNull();
    clock.ms += 1_000;
    expect(watch.beforeDecision()).toBeNull();
    expect(looks()).toBe(1);
  });

  test("a server that took long to tell is asked in the background until it tells soon", async () => {
    let delayMs = 1_500;
    const { watch, clock, looks } = watched(() => {
      clock.ms += delayMs;
      return nothingLoaded();
    });
    await watch.beforeDecision();
    clock.ms += 2_100;
    delayMs = 5;
    expect(watch.beforeDecision()).toBeNull();
    expect(looks()).toBe(2);
    await watch.refresh();
    clock.ms += 2_100;
    await expect(watch.beforeDecision()).resolves.toBeUndefined();
  });
});

test("without decisions, a model made anew is noticed within half a minute", async () => {
  const clock = { ms: 1_000_000 };
  let digest = "a";
  const transport: Transport = async (url) => {
    if (url.endsWith("/api/ps")) return reply(200, { models: [] });
    return reply(200, url.endsWith("/api/tags") ? { models: [{ name: "m:latest", digest }] } : {});
  };
  const watch = new ServerWatch({ origin: "http://gpu-box:11434", transport }, () => clock.ms, silentLogger);
  await watch.learn("m");
  await watch.refresh();
  digest = "b";
  clock.ms += 29_000;
  watch.lookNowAndThen();
  expect(watch.model("m")?.digest).toBe("a");
  clock.ms += 1_000;
  watch.lookNowAndThen();
  await expect.poll(() => watch.model("m")).toBe(undefined);
  expect((await watch.learn("m"))?.digest).toBe("b");
});
