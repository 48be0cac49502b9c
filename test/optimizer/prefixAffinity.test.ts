import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AffinityItem, affinityOrder } from "../../src/optimizer/prefixAffinity.js";
import { PromptCorpus, seededRandom } from "./promptCorpus.js";

const corpus = new PromptCorpus(seededRandom(1));
const text = (words: number) => corpus.prose(words).join(" ");
const item = (head: string, templateId: string | null = null): AffinityItem => ({ head, templateId });

describe("affinityOrder", () => {
  it("puts calls of one template next to each other, in the order of their first calls", () => {
    const items = ["b", "a", "c", "a", "b", "c", "a"].map((id) => item(`${id} ${text(5)}`, id));
    const { order } = affinityOrder(items);
    expect(order.map((i) => items[i]!.templateId).join("")).toBe("bbaaacc");
  });

  it("puts calls without a template next to those that share their head", () => {
    const [x, y] = [text(60), text(60)];
    const items = [`${x} 1`, `${y} 1`, `${x} 2`, `${y} 2`].map((head) => item(head));
    expect(affinityOrder(items).order).toEqual([0, 2, 1, 3]);
  });

  it("makes templates behind one system prompt neighbours", () => {
    const [x, y] = [text(60), text(60)];
    const items = [
      item(`${x} task A`, "A"),
      item(`${y} task C`, "C"),
      item(`${x} task B`, "B"),
      item(`${x} task A`, "A"),
    ];
    expect(affinityOrder(items).order).toEqual([0, 3, 2, 1]);
  });

  it("puts the longest shared heads of a template together", () => {
    const x = text(60);
    const [p, q] = [text(40), text(40)];
    const items = [`${x} ${p} 1`, `${x} ${q} 1`, `${x} ${p} 2`, `${x} ${q} 2`].map((head) => item(head, "t"));
    const { order } = affinityOrder(items);
    expect([...order].sort().length).toBe(4);
    expect(Math.abs(order.indexOf(0) - order.indexOf(2))).toBe(1);
    expect(Math.abs(order.indexOf(1) - order.indexOf(3))).toBe(1);
  });

  it("moves nothing where nothing is shared", () => {
    const items = Array.from({ length: 20 }, () => item(text(50)));
    expect(affinityOrder(items).order).toEqual(items.map((_, i) => i));
    expect(affinityOrder([item("hello"), item("a"), item("hello")]).order).toEqual([0, 1, 2]);
    expect(affinityOrder([])).toEqual({ order: [], position: [] });
  });

  it("keeps the order of equal calls and returns results to the caller's order", () => {
    const heads = [text(60), text(60), text(60), ""];
    const items = fc.array(
      fc.record({
        templateId: fc.constantFrom("a", "b", null),
        head: fc
          .tuple(fc.constantFrom(...heads), fc.string({ maxLength: 3 }))
          .map((parts) => parts.join(" ")),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(items, (batch) => {
        const { order, position } = affinityOrder(batch);
        expect([...order].sort((a, b) => a - b)).toEqual(batch.map((_, i) => i));
        const results = order.map((i) => batch[i]);
        expect(position.map((k) => results[k])).toEqual(batch);
        for (const id of ["a", "b"]) {
          const places = position.filter((_, i) => batch[i]!.templateId === id);
          if (places.length > 0) expect(Math.max(...places) - Math.min(...places)).toBe(places.length - 1);
        }
        for (const [i, { head, templateId }] of batch.entries()) {
          const twin = batch.findIndex(
            (other, j) => j > i && other.head === head && other.templateId === templateId,
          );
          if (twin !== -1 && templateId !== null) expect(position[i]!).toBeLessThan(position[twin]!);
        }
      }),
    );
  });
});
