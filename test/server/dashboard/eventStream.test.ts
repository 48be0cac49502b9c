import fc from "fast-check";
import { expect, test } from "vitest";
import { eventsOf } from "../../../src/server/dashboard/page/eventStream.js";

async function read(parts: readonly Uint8Array[]): Promise<{ events: string[]; heard: number }> {
  const events: string[] = [];
  let heard = 0;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  for await (const data of eventsOf(body, () => heard++)) events.push(data);
  return { events, heard };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("events are read however the network cuts them, with each kind of line break", async () => {
  const text = fc.string({ unit: "grapheme" }).map((value) => JSON.stringify(value));
  const cuts = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(text), fc.constantFrom("\n", "\r\n", "\r"), cuts, async (datas, end, sizes) => {
      const whole = bytes(datas.map((data) => `: heartbeat${end}data: ${data}${end}${end}`).join("") + end);
      const parts: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < whole.length; turn++) {
        const size = sizes[turn % sizes.length]!;
        parts.push(whole.subarray(at, at + size));
        at += size;
      }
      expect((await read(parts)).events).toEqual(datas);
    }),
  );
});

test("lines of one event are joined, other fields and an unfinished event are left out", async () => {
  const { events } = await read([bytes("event: a\nid: 1\ndata: one\ndata:two\n\ndata: unfinished\n")]);

  expect(events).toEqual(["one\ntwo"]);
});

test("a heartbeat counts as a sign of life, and as no event", async () => {
  expect(await read([bytes(": still here\n\n"), bytes(": still here\n\n")])).toEqual({
    events: [],
    heard: 2,
  });
});
