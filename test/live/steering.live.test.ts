/**
 * What the auto-optimizer asks of the next load, on real servers.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/steering.live.test.ts
 */
import { beforeEach, expect, test } from "vitest";
import { type Dial, leversOf } from "../../src/autopilot/index.js";
import type { OptimizedChatOllama } from "../../src/index.js";
import { decisionOf, learned, nothingLoaded, onEachOllama, smallChat, wasLoaded, words } from "./ollama.js";

onEachOllama((origin) => {
  beforeEach(() => nothingLoaded(origin));

  const dial = ({ store }: OptimizedChatOllama, kind: Dial["kind"]): Dial =>
    leversOf({ store }).dials!().find((each) => each.kind === kind)!;

  async function minutesLeft(): Promise<number> {
    const { models } = (await (await fetch(`${origin}/api/ps`)).json()) as {
      models: { expires_at: string }[];
    };
    return (Date.parse(models[0]!.expires_at) - Date.now()) / 60_000;
  }

  test("a model stays loaded for as long as was asked, without a load for it", async () => {
    const model = smallChat(origin);
    await model.invoke(words(20));
    await learned(model);
    expect(await minutesLeft()).toBeLessThan(6);
    await dial(model, "keepAlive").set(1_200);
    const reply = await model.invoke(words(20));

    expect(wasLoaded(reply)).toBe(false);
    expect(await minutesLeft()).toBeGreaterThan(15);
  });

  test("a smaller batch and window wait for the next load, and what a call needs is loaded all the same", async () => {
    const model = smallChat(origin);
    await model.invoke(words(300));
    const before = decisionOf(await model.invoke(words(300)));
    await dial(model, "batch").set(64);
    await dial(model, "window").set(1_024);
    const kept = await model.invoke(words(20));
    expect(wasLoaded(kept)).toBe(false);
    expect(decisionOf(kept)).toMatchObject({ action: "keep", numCtx: before.numCtx });

    await nothingLoaded(origin);
    // After a pause the next call looks at the server before it is decided.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const small = await model.invoke(words(20));
    expect(decisionOf(small)).toMatchObject({ action: "load", numBatch: 64 });
    expect(decisionOf(small).numCtx!).toBeLessThan(before.numCtx!);
    const again = await model.invoke(words(20));
    expect(wasLoaded(again)).toBe(false);
    const long = await model.invoke(words(300));
    expect(decisionOf(long).numCtx!).toBeGreaterThan(1_024);
    expect(decisionOf(long).outcome).toMatchObject({ cut: false, error: null });
  });
});
