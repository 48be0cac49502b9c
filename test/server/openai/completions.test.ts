import { describe, expect, test } from "vitest";
import { type Chunk, calls, eventsOf, json, openAiPair, words } from "./support.js";

const PATH = "/v1/completions";

describe("a completion", () => {
  test("has OpenAI's fields and asks the model through its template", async () => {
    await using servers = await openAiPair("Once upon a time");
    const reply = await servers.post(PATH, {
      model: "inserter",
      prompt: ["Tell"],
      suffix: "end",
      max_tokens: 40,
      stop: ["X"],
    });
    expect(reply.headers.get("x-optimizer-action")).toBe("load");
    expect(await json(reply)).toMatchObject({
      id: expect.stringMatching(/^cmpl-/),
      object: "text_completion",
      model: "inserter",
      choices: [{ index: 0, text: "Once upon a time", finish_reason: "stop", logprobs: null }],
      usage: { completion_tokens: expect.any(Number) },
    });
    const sent = calls(servers.ollama.requests)[0]!;
    expect(sent).toMatchObject({ prompt: "Tell", suffix: "end", options: { num_predict: 40, stop: ["X"] } });
    expect(sent.raw).toBeUndefined();
  });

  test("is streamed with the reason alone, the usage without choices, and [DONE]", async () => {
    await using servers = await openAiPair("Once upon a time");
    const call = { model: "tiny", prompt: "Tell", stream: true, stream_options: { include_usage: true } };
    const events = await eventsOf(await servers.post(PATH, call));
    const chunks = events.slice(0, -1) as Chunk[];
    expect(chunks.map(({ choices }) => choices[0]?.text ?? "").join("")).toBe("Once upon a time");
    expect(chunks.at(-2)!.choices[0]!.finish_reason).toBe("stop");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: expect.any(Number) } });
    expect(events.at(-1)).toBe("[DONE]");
  });

  test("a prompt beyond the default window is answered whole", async () => {
    await using servers = await openAiPair();
    const reply = await json<{ usage: { prompt_tokens: number } }>(
      await servers.post(PATH, { model: "tiny", prompt: words(6_000) }),
    );
    expect(reply.usage.prompt_tokens).toBeGreaterThan(6_000);
  });

  test("what one call of Ollama cannot do is refused", async () => {
    await using servers = await openAiPair();
    for (const fields of [
      { prompt: ["a", "b"] },
      { prompt: [1, 2] },
      { prompt: "" },
      { prompt: undefined },
      { echo: true },
      { best_of: 2 },
      { logprobs: 6 },
    ]) {
      const reply = await servers.post(PATH, { model: "tiny", prompt: "Tell", ...fields });
      expect(reply.status, JSON.stringify(fields)).toBe(400);
    }
    expect(calls(servers.ollama.requests)).toEqual([]);
  });
});
