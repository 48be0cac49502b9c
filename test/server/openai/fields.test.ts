import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Fields } from "../../../src/server/openai/fields.js";
import { forcedFormat } from "../../../src/server/openai/forcedCall.js";
import { Refused } from "../../../src/server/openai/refused.js";

/** What was read, or how it was refused. */
function outcome<T>(read: () => T): T | Refused {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}

describe("fields of a request", () => {
  test("whatever a field holds, it is read as what was asked for or refused by its path", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const fields = new Fields({ a: value }, "messages[3]");
        const reads: [unknown, (read: unknown) => boolean][] = [
          [outcome(() => fields.text("a")), (read) => typeof read === "string"],
          [outcome(() => fields.flag("a")), (read) => typeof read === "boolean"],
          [outcome(() => fields.decimal("a", -1, 1)), (read) => Math.abs(read as number) <= 1],
          [
            outcome(() => fields.integer("a", 1, 9)),
            (read) => Number.isInteger(read) && (read as number) > 0,
          ],
          [
            outcome(() => fields.texts("a")),
            (read) => (read as unknown[]).every((one) => typeof one === "string"),
          ],
          [outcome(() => fields.object("a")), (read) => read instanceof Fields],
          [
            outcome(() => fields.objects("a")),
            (read) => (read as unknown[]).every((one) => one instanceof Fields),
          ],
        ];
        for (const [read, fits] of reads) {
          if (read instanceof Refused) expect(read.param).toMatch(/^messages\[3\]\.a(\[\d+\])?$/);
          else if (value === null) expect(read).toBeUndefined();
          else expect(fits(read)).toBe(true);
        }
      }),
    );
  });

  test("a number out of range is told its bound in OpenAI's words", () => {
    const refused = outcome(() => new Fields({ temperature: -1 }).decimal("temperature", 0, 2));
    expect(refused).toMatchObject({
      message:
        "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
      code: "decimal_below_min_value",
      param: "temperature",
      status: 400,
    });
  });
});

test("every reference of functions that share a schema leads to a definition", () => {
  const name = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => /^\w+$/.test(text));
  const tool = fc.record({
    name,
    parameters: fc
      .dictionary(name, fc.constant({ type: "string" }), { minKeys: 1, maxKeys: 3 })
      .map(($defs) => ({
        type: "object",
        properties: Object.fromEntries(Object.keys($defs).map((key) => [key, { $ref: `#/$defs/${key}` }])),
        $defs,
      })),
  });
  fc.assert(
    fc.property(fc.array(tool, { minLength: 1, maxLength: 4 }), (tools) => {
      const format = forcedFormat(tools) as { $defs: Record<string, unknown> };
      const references = [...JSON.stringify(format).matchAll(/"#\/\$defs\/(\w+)"/g)].map(([, key]) => key!);
      expect(references.length).toBe(
        tools.reduce((sum, { parameters }) => sum + Object.keys(parameters.$defs).length, 0),
      );
      for (const key of references) expect(format.$defs).toHaveProperty(key);
    }),
  );
});
