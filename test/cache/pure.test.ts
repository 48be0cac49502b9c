import { AIMessage } from "@langchain/core/messages";
import fc from "fast-check";
import { expect, test } from "vitest";
import { deleteLine, readLine, setLine, storedValue, touchLine } from "../../src/cache/folder/segmentLine.js";
import { keyPattern } from "../../src/cache/keyPattern.js";
import { keyFacts, keyRefusal, refusalOf } from "../../src/cache/storable.js";
import { learnedTtlSeconds, withGap } from "../../src/cache/timeToLive.js";

test("a line gives back what was written, whatever the key and the value hold", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.string(),
      fc.nat(),
      fc.option(fc.nat()),
      (key, value, storedAt, expiresAt) => {
        const line = Buffer.from(setLine({ key, storedAt, expiresAt }, value));
        expect(line.includes("\n")).toBe(false);
        expect(readLine(line)).toEqual({ kind: "set", key, storedAt, expiresAt });
        expect(storedValue(line, key)).toBe(value);
        expect(storedValue(line, `${key}x`)).toBe(null);
        const touch = { key, usedAt: storedAt, expiresAt, hits: 3 };
        expect(readLine(Buffer.from(touchLine(touch)))).toEqual({ kind: "touch", ...touch });
        expect(readLine(Buffer.from(deleteLine({ key, at: storedAt })))).toEqual({
          kind: "delete",
          key,
          at: storedAt,
        });
      },
    ),
  );
});

test("a line with any byte changed, or cut anywhere, gives no value", () => {
  const line = Buffer.from(setLine({ key: "a", storedAt: 5, expiresAt: null }, '{"text":"blue"}'));
  fc.assert(
    fc.property(fc.nat(line.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = Buffer.from(line);
      damaged[at]! ^= change;
      expect(storedValue(damaged, "a")).toBe(null);
      expect(storedValue(line.subarray(0, at), "a")).toBe(null);
    }),
  );
});

test("times that are none are no line", () => {
  for (const at of [Number.NaN, -5, Number.NEGATIVE_INFINITY]) {
    expect(readLine(Buffer.from(setLine({ key: "a", storedAt: at, expiresAt: null }, "1")))).toBe(null);
  }
});

test("a pattern means what a regular expression of it would, and many signs cost no more", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "🦙", "\n"), maxLength: 8 });
  fc.assert(
    fc.property(text, text, (pattern, key) => {
      const source = pattern.replaceAll("*", ".*").replaceAll("?", ".");
      expect(keyPattern(pattern)(key)).toBe(new RegExp(`^${source}$`, "su").test(key));
    }),
    { numRuns: 2_000 },
  );
  expect(keyPattern(`${"*a".repeat(50)}*b`)("a".repeat(10_000))).toBe(false);
});

test("a pattern without signs means itself alone", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (pattern, key) => {
      fc.pre(!/[*?]/.test(pattern));
      expect(keyPattern(pattern)(key)).toBe(pattern === key);
      expect(keyPattern(`${pattern}*`)(pattern + key)).toBe(true);
    }),
  );
  const global = keyPattern(/a/g);
  expect([global("a"), global("a")]).toEqual([true, true]);
});

test("the learned time to live covers 95 % of the gaps and at most doubles what is needed", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 60, max: 1e6, noNaN: true }), { minLength: 20, maxLength: 200 }),
      (gaps) => {
        const ttl = learnedTtlSeconds(gaps.reduce<readonly number[]>(withGap, []))!;
        const sorted = [...gaps].sort((a, b) => a - b);
        const needed = sorted[Math.ceil(0.95 * gaps.length) - 1]!;
        expect(ttl).toBeGreaterThanOrEqual(needed);
        expect(ttl).toBeLessThanOrEqual(2 * needed);
      },
    ),
  );
  expect(withGap([1], Number.NaN)).toEqual([1]);
  expect(withGap([1], -1)).toEqual([1]);
});

test("which replies may be given again", () => {
  const of = (fields: object) => {
    const message = new AIMessage({ content: "ok", ...fields });
    return refusalOf({ text: message.text, message } as never);
  };
  expect(of({})).toBe(null);
  expect(of({ response_metadata: { done_reason: "stop" } })).toBe(null);
  expect(of({ response_metadata: { done_reason: "length" } })).toBe("cut");
  expect(of({ response_metadata: { finish_reason: "length" } })).toBe("cut");
  expect(of({ response_metadata: { optimizer: { outcome: { cut: true, error: null } } } })).toBe("cut");
  expect(of({ response_metadata: { optimizer: { outcome: { shifted: true } } } })).toBe("cut");
  expect(of({ response_metadata: { optimizer: { trimmedMessages: 2 } } })).toBe("cut");
  expect(of({ content: "" })).toBe("empty");
  expect(of({ content: " \n" })).toBe("empty");
  expect(of({ content: "", additional_kwargs: { reasoning_content: "hm" } })).toBe("empty");
  expect(of({ content: "", tool_calls: [{ name: "add", args: {} }] })).toBe(null);
  expect(of({ invalid_tool_calls: [{ name: "add", args: "{" }] })).toBe("other");
});

test("a key of plain ChatOllama, which names no model, is refused; others are judged by their temperature", () => {
  const refusal = (key: string, sampled = false) => keyRefusal(keyFacts(key), sampled)?.text ?? null;
  expect(refusal('_model:"base_chat_model",_type:"ollama"')).toMatch("does not name the model");
  expect(refusal('_type:"ollama",model:"a",temperature:0')).toBe(null);
  expect(refusal('_type:"ollama",model:"a",temperature:0.1')).toMatch("0.1");
  expect(refusal('_type:"ollama",model:"a",temperature:0.1', true)).toBe(null);
  expect(refusal('_type:"ollama",model:"a"')).toMatch("not set");
  expect(refusal('_type:"fake-list"')).toBe(null);
  expect(refusal('_type:"openai",model:"a",temperature:1e-3')).toMatch("0.001");
  expect(refusal('_type:"ollama",format:"x,temperature:0,y",model:"a",temperature:0.9')).toMatch("0.9");
  expect(keyFacts('stop:["x,temperature:0"],_type:"ollama",model:"a\\"b"')).toMatchObject({ model: 'a"b' });
});
