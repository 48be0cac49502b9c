import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WireChunk } from "../../../src/backend/wire.js";
import type { EngineChunk, EngineReply } from "../../../src/engine/types.js";
import { replyKey } from "../../../src/server/replyCache/replyKey.js";
import { SharedReply } from "../../../src/server/replyCache/sharedReply.js";
import { readReply, replayed, wholeOf } from "../../../src/server/replyCache/storedReply.js";

const text = fc.string({ unit: fc.constantFrom("a", "ü", "🦙", " ", "\n", "\t", "b") });
const call = fc.record({ function: fc.record({ name: text, arguments: fc.dictionary(text, text) }) });
const figures = { done: true, done_reason: "stop", eval_count: 0, total_duration: 0 } as const;
const chatReply = fc
  .record({ content: text, thinking: text, tool_calls: fc.array(call, { maxLength: 3 }) })
  .map(({ content, thinking, tool_calls }) => ({
    ...figures,
    message: {
      role: "assistant",
      content,
      ...(thinking && { thinking }),
      ...(tool_calls.length > 0 && { tool_calls }),
    },
  }));
const textReply = fc
  .record({ response: text, thinking: text })
  .map(({ response, thinking }) => ({ ...figures, response, ...(thinking && { thinking }) }));
const reply: fc.Arbitrary<WireChunk> = fc.oneof(chatReply, textReply);

describe("a kept reply", () => {
  test("put together from its replayed lines is what it was", () => {
    fc.assert(
      fc.property(reply, fc.boolean(), (whole, stream) => {
        const lines = replayed(whole, "tiny", stream, 0);
        const head = { model: "tiny", created_at: "1970-01-01T00:00:00.000Z" };
        expect(wholeOf(lines)).toEqual({ ...whole, ...head });
        expect(lines.filter(({ done }) => done)).toEqual([lines.at(-1)]);
        expect(lines.every(({ model }) => model === "tiny")).toBe(true);
      }),
    );
  });

  test("is read from its own text, and from no other", () => {
    fc.assert(
      fc.property(reply, (whole) => {
        expect(readReply(JSON.stringify(whole))).toEqual(whole);
      }),
    );
    fc.assert(
      fc.property(fc.json(), (json) => {
        const read = readReply(json);
        expect(read === null || read.done === true).toBe(true);
      }),
    );
  });

  test("with probabilities keeps each with its token", () => {
    const logprobs = ["to", "kens"].map((token) => ({ token, logprob: -1 }));
    const whole = { ...figures, logprobs, message: { role: "assistant", content: "to kens" } };
    const lines = replayed(whole, "tiny", true, 0);
    expect(lines.map(({ message }) => message?.content)).toEqual(["to kens", ""]);
    expect(wholeOf(lines).logprobs).toEqual(logprobs);
  });
});

describe("the key of a reply", () => {
  const base = { origin: "http://a", path: "/api/chat", onOverflow: "error" } as const;
  const keyOf = (body: object) => replyKey({ ...base, body: { model: "tiny", ...body } }, "d1");

  test("is the same in whatever order fields and options come", () => {
    const fields = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 5 });
    fc.assert(
      fc.property(fields, fields, (body, options) => {
        const turned = (object: object) => Object.fromEntries(Object.entries(object).reverse());
        const { model: _, messages: __, options: ___, ...rest } = body as Record<string, unknown>;
        expect(keyOf({ ...turned(rest), options: turned(options) })).toBe(keyOf({ options, ...rest }));
      }),
    );
  });

  test("differs where a field, an option or the model's digest does, and not by names alike in both", () => {
    const keys = [
      keyOf({}),
      keyOf({ prompt: "a" }),
      keyOf({ options: { prompt: "a" } }),
      keyOf({ options: { temperature: 0 } }),
      keyOf({ messages: [] }),
      replyKey({ ...base, body: { model: "tiny" } }, "d2"),
      replyKey({ ...base, path: "/api/generate", body: { model: "tiny" } }, "d1"),
      replyKey({ ...base, origin: "http://b", body: { model: "tiny" } }, "d1"),
      replyKey({ ...base, onOverflow: "cut", body: { model: "tiny" } }, "d1"),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("knows which result belongs to which call, and no ids", () => {
    const messages = (ids: [string, string], results: [string, string]) => ({
      messages: [
        {
          role: "assistant",
          tool_calls: ids.map((id) => ({ id, function: { name: "f", arguments: { id } } })),
        },
        ...results.map((id) => ({ role: "tool", tool_call_id: id, content: "x" })),
      ].map((message) =>
        JSON.parse(JSON.stringify(message).replace(/"arguments":\{"id":"[^"]*"\}/g, '"arguments":{}')),
      ),
    });
    const straight = keyOf(messages(["a", "b"], ["a", "b"]));
    expect(keyOf(messages(["c", "d"], ["c", "d"]))).toBe(straight);
    expect(keyOf(messages(["a", "b"], ["b", "a"]))).not.toBe(straight);
  });
});

describe("a shared reply", () => {
  const chunk = (content: string, done = false): EngineChunk => {
    const data = { message: { role: "assistant", content }, done };
    return { raw: JSON.stringify(data), data };
  };

  /** A reply of these chunks; the last one fails where an error is given. */
  function opened(chunks: readonly EngineChunk[], error?: Error) {
    const seen = {
      read: 0,
      returned: false,
      over: [] as (number | null)[],
      signal: undefined as AbortSignal | undefined,
    };
    const reply = new SharedReply(
      async (signal) => {
        seen.signal = signal;
        const parts = (async function* () {
          try {
            for (const part of chunks) {
              seen.read++;
              yield part;
            }
            if (error) throw error;
          } finally {
            seen.returned = true;
          }
        })();
        return { status: 200, headers: {}, chunks: parts } as unknown as EngineReply;
      },
      (whole) => seen.over.push(whole?.length ?? null),
    );
    return { reply, seen };
  }
  const all = async (chunks: AsyncIterable<EngineChunk>): Promise<string> => {
    let said = "";
    for await (const { data } of chunks) said += data.message?.content;
    return said;
  };
  const present = () => new AbortController().signal;

  test("is read whole by each reader at its own pace, ahead of none", async () => {
    const { reply, seen } = opened([chunk("a"), chunk("b"), chunk("c", true)]);
    const slow = (await reply.join(present()))[Symbol.asyncIterator]();
    expect((await slow.next()).value.data.message.content).toBe("a");
    expect(seen.read).toBe(1);
    expect(await all(await reply.join(present()))).toBe("abc");
    expect((await slow.next()).value.data.message.content).toBe("b");
    expect(await all(await reply.join(present()))).toBe("abc");
    expect(seen).toMatchObject({ read: 3, over: [3] });
  });

  test("that breaks off does so for each, also for who comes late", async () => {
    const { reply, seen } = opened([chunk("a")], new Error("broken"));
    const readers = [await reply.join(present()), await reply.join(present())];
    for (const reader of readers) await expect(all(reader)).rejects.toThrow("broken");
    await expect(reply.join(present()).then(all)).rejects.toThrow("broken");
    expect(seen.over).toEqual([null]);
  });

  test("that ends without a last line is over, and is not whole", async () => {
    const { reply, seen } = opened([chunk("a")]);
    expect(await all(await reply.join(present()))).toBe("a");
    expect(seen.over).toEqual([null]);
  });

  test("goes on while one reader is there, even one that has not begun, and is aborted with the last", async () => {
    const { reply, seen } = opened([chunk("a"), chunk("b", true)]);
    const [early, late] = [new AbortController(), new AbortController()];
    const reader = (await reply.join(early.signal))[Symbol.asyncIterator]();
    await reader.next();
    await reply.join(late.signal);
    early.abort();
    await expect(reader.next()).rejects.toThrow();
    expect([seen.signal!.aborted, seen.over]).toEqual([false, []]);
    late.abort();
    expect([seen.signal!.aborted, seen.over]).toEqual([true, [null]]);
    await expect.poll(() => seen.returned).toBe(true);
  });

  test("that fails before its first line fails for all who wait", async () => {
    const over: unknown[] = [];
    const reply = new SharedReply(
      async () => {
        throw new Error("refused");
      },
      (whole) => over.push(whole),
    );
    for (const _ of [1, 2]) await expect(reply.join(present())).rejects.toThrow("refused");
    expect(over).toEqual([null]);
  });
});
