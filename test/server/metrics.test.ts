import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Counter, Gauge, Histogram } from "../../src/server/metrics/family.js";
import { parseMetrics } from "./metricsText.js";
import { pair, user, words } from "./support.js";

describe("the text format", () => {
  test("whatever labels hold, a strict reader gets it back", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ unit: "binary" }), fc.string()), {
          selector: ([a, b]) => `${a}\u0000${b}`,
          maxLength: 5,
        }),
        (pairs) => {
          const counter = new Counter({ name: "x_total", help: "h\\elp\nme", labels: ["a", "b"] });
          for (const [index, labels] of pairs.entries()) counter.add(labels, index);
          const samples = parseMetrics(counter.text());
          expect(samples.map(({ labels, value }) => [labels.a, labels.b, value])).toEqual(
            pairs.map(([a, b], index) => [a, b, index]),
          );
        },
      ),
    );
  });

  test("a histogram counts each value once, in every bucket that holds it", () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: 0, max: 20, noNaN: true }), { minLength: 1 }), (values) => {
        const histogram = new Histogram({ name: "x_seconds", help: "help", labels: ["m"] }, [0.5, 1, 10]);
        for (const value of values) histogram.observe(["tiny"], value);
        const samples = parseMetrics(histogram.text());
        const bucket = (le: string) => samples.find(({ labels }) => labels.le === le)!.value;
        for (const bound of [0.5, 1, 10]) {
          expect(bucket(String(bound))).toBe(values.filter((value) => value <= bound).length);
        }
        expect(bucket("+Inf")).toBe(values.length);
        const sum = samples.find(({ name }) => name === "x_seconds_sum")!.value;
        expect(sum).toBeCloseTo(values.reduce((total, value) => total + value, 0));
      }),
    );
  });

  test("a gauge says what its value is when it is asked", () => {
    let value = 1;
    const gauge = new Gauge({ name: "x", help: "help" }, () => value);
    value = 2;
    expect(gauge.text()).toBe("# HELP x help\n# TYPE x gauge\nx 2\n");
  });
});

describe("/metrics", () => {
  test("counts calls, tokens, loads, cuts that did not happen, and failures", async () => {
    await using servers = await pair();
    expect(parseMetrics(await (await servers.app.request("/metrics")).text()).length).toBeGreaterThan(5);
    for (const count of [10, 6_000]) {
      const call = { model: "tiny", messages: user(words(count)), stream: false };
      await (await servers.post("/api/chat", call)).text();
    }
    await (await servers.post("/api/chat", { model: "absent", messages: user("hello") })).text();
    await (await servers.post("/api/embed", { model: "vectors", input: "hello" })).text();
    expect(await servers.metric("calls_total", { model: "tiny", status: "200" })).toBe(2);
    expect(await servers.metric("calls_total", { model: "other", status: "404" })).toBe(1);
    expect(await servers.metric("calls_total", { model: "vectors", status: "200" })).toBe(1);
    expect(await servers.metric("errors_total", { code: "MODEL_NOT_FOUND" })).toBe(1);
    expect(await servers.metric("prompt_tokens_total")).toBeGreaterThan(6_000);
    expect(await servers.metric("output_tokens_total")).toBeGreaterThan(0);
    expect(await servers.metric("reloads_total")).toBe(
      servers.ollama.loads.filter(({ model }) => /tiny/.test(model)).length,
    );
    expect(await servers.metric("load_seconds_total")).toBeGreaterThan(0);
    expect(await servers.metric("cuts_prevented_total")).toBe(1);
    expect(await servers.metric("call_duration_seconds_count", { model: "tiny" })).toBe(2);
    expect(await servers.metric("time_to_first_token_seconds_count")).toBe(2);
    expect(await servers.metric("calls_running")).toBe(0);
  });

  test("a preload or an embedding that fails counts as failed, on both surfaces and behind a socket", async () => {
    await using servers = await pair();
    const { origin } = await servers.listen();
    const post = async (path: string, body: object) => {
      const reply = await fetch(origin + path, { method: "POST", body: JSON.stringify(body) });
      await reply.text();
      return reply.status;
    };
    for (const model of ["absent", "vectors"]) {
      const status = model === "absent" ? 404 : 200;
      expect(await post("/api/embed", { model, input: "a" })).toBe(status);
      expect(await post("/v1/embeddings", { model, input: "a" })).toBe(status);
    }
    expect(await post("/api/generate", { model: "absent" })).toBe(404);
    const calls = (labels: Record<string, string>) => servers.metric("calls_total", labels);
    expect(await calls({ surface: "ollama", status: "404" })).toBe(2);
    expect(await calls({ surface: "ollama", status: "200" })).toBe(1);
    expect(await calls({ surface: "openai", status: "404" })).toBe(1);
    expect(await calls({ surface: "openai", status: "200" })).toBe(1);
    expect(await servers.metric("errors_total")).toBe(3);
    expect((await servers.snapshot()).recent.map(({ path }) => path)).toContain("/v1/embeddings");
  });

  test("names that clients invent do not pile up", async () => {
    await using servers = await pair();
    for (let index = 0; index < 70; index++) {
      await (await servers.post("/api/chat", { model: `invented-${index}`, messages: user("hi") })).text();
    }
    const text = await (await servers.app.request("/metrics")).text();
    expect(text).not.toContain("invented");
    expect(await servers.metric("calls_total", { model: "other" })).toBe(70);
  });
});
