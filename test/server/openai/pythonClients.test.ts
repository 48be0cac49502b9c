/** The Python clients of OpenAI and of Ollama, pointed at this server. */
import { describe, expect, test } from "vitest";
import { pythonClients, runPython } from "./python/run.js";
import { agent, openAiPair } from "./support.js";

const python = pythonClients();

describe.skipIf(!python)("Python", () => {
  test("openai: chat, stream, tools, parse, responses, embeddings, models, errors", async () => {
    await using servers = await openAiPair((call) =>
      call.format ? { content: '{"city":"Oslo"}' } : agent(call),
    );
    const { origin } = await servers.listen();
    const checks = await runPython(
      python!,
      "openai_client.py",
      origin,
      "tiny",
      "tiny",
      "vectors",
      "scripted",
    );
    expect(checks).toHaveLength(11);
  });

  test("ollama: chat, stream, generate, embed, lists, errors", async () => {
    await using servers = await openAiPair();
    const { origin } = await servers.listen();
    expect(await runPython(python!, "ollama_client.py", origin, "tiny", "vectors")).toHaveLength(6);
  });
});
