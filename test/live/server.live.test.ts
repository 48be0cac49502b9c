/**
 * The server before real Ollama servers: turns, and Ollama's own command.
 *
 *   node scripts/ollama/serve.mjs -- npx vitest run --config vitest.live.config.ts test/live/server.live.test.ts
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { programOf, sources } from "../../scripts/ollama/cache.mjs";
import { createServerApp, listen, type ServerAppOptions } from "../../src/server/index.js";
import { memoryStore } from "../../src/storage/memory.js";
import { onEachOllama, post } from "./ollama.js";

async function before(origin: string, options: Partial<ServerAppOptions> = {}) {
  const store = memoryStore();
  const listener = await listen(createServerApp({ upstream: origin, store, ...options }), { port: 0 });
  return { ...listener, store, [Symbol.asyncDispose]: () => listener.close(1_000) };
}

onEachOllama((origin, version) => {
  test("two clients with windows of their own load the model less than every other call", async () => {
    await using server = await before(origin);
    let loads = 0;
    const client = async (name: string, numCtx: number) => {
      for (let call = 0; call < 20; call++) {
        const reply = await fetch(`${server.origin}/api/chat`, {
          method: "POST",
          headers: { "user-agent": name },
          body: JSON.stringify({
            model: "random",
            stream: false,
            messages: [{ role: "user", content: `${name} ${call}` }],
            options: { num_ctx: numCtx, num_predict: 4 },
          }),
        });
        expect(reply.status).toBe(200);
        const { load_duration } = (await reply.json()) as { load_duration: number };
        if (load_duration / 1e6 > 150) loads++;
      }
    };
    await Promise.all([client("a", 2_048), client("b", 4_096)]);
    expect(loads).toBeLessThan(20);
    for await (const { decision } of server.store.requests()) expect(decision!.numCtx).toBeGreaterThan(0);
  });

  test("Ollama's own command lists, shows, runs, makes and removes a model through it", async () => {
    await using server = await before(origin, { allowAdmin: true });
    const command = programOf(version);
    const ollama = async (...args: string[]) => {
      const env = { ...process.env, OLLAMA_HOST: server.origin };
      const running = promisify(execFile)(command, args, { env, timeout: 60_000 });
      // It takes what comes there for a prompt.
      running.child.stdin?.end();
      return (await running).stdout;
    };
    expect(await ollama("list")).toContain("random");
    expect(await ollama("show", "random")).toMatch(/context length/);
    expect(await ollama("run", "smollm2", "Say yes.")).not.toBe("");
    expect(await ollama("ps")).toContain("smollm2");

    const folder = mkdtempSync(join(tmpdir(), "server-live-"));
    try {
      // Other bytes behind the weights: a file that Ollama does not have yet, so that it is uploaded.
      const weights = readFileSync(join(sources, "random-1.gguf"));
      writeFileSync(join(folder, "weights.gguf"), Buffer.concat([weights, randomBytes(32)]));
      writeFileSync(join(folder, "Modelfile"), `FROM ${join(folder, "weights.gguf")}\n`);
      await ollama("create", "uploaded-by-test", "-f", join(folder, "Modelfile"));
      const reply = await post(server.origin, "/api/generate", {
        model: "uploaded-by-test",
        prompt: "hello",
        stream: false,
        options: { num_predict: 2 },
      });
      expect(reply.status).toBe(200);
    } finally {
      rmSync(folder, { recursive: true });
      await ollama("rm", "uploaded-by-test").catch(() => {});
    }
    expect(await ollama("list")).not.toContain("uploaded-by-test");
  });

  test("without --allow-admin the command makes nothing, and says why", async () => {
    await using server = await before(origin);
    const reply = await post(server.origin, "/api/create", { model: "never", from: "random" });
    expect(reply.status).toBe(403);
    expect(await reply.text()).toMatch(/--allow-admin/);
  });
});
