/** The notebooks as they are committed: their code compiles, and their outputs are there and of this very code. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  codeCells,
  digestOf,
  expectedOutputs,
  lostOutputs,
  notebookNames,
  readNotebook,
  sourceOf,
} from "../scripts/notebooks.mjs";
import { compileProblems } from "./compileProblems.js";

interface Output {
  readonly output_type: string;
  readonly data?: Readonly<Record<string, readonly string[]>>;
}
interface Cell {
  readonly cell_type: "code" | "markdown";
  readonly source: readonly string[];
  readonly outputs?: readonly Output[];
}
interface Notebook {
  readonly cells: readonly Cell[];
  readonly metadata: { readonly sourceDigest?: string };
}

const folder = join(import.meta.dirname, "..", "notebooks");
const notebooks = (notebookNames() as string[]).map((name) => ({
  name,
  notebook: readNotebook(name) as Notebook,
}));

function changed(notebook: Notebook, change: (outputs: readonly Output[]) => readonly Output[]): Notebook {
  const cells = notebook.cells.map((cell) =>
    cell.outputs ? { ...cell, outputs: change(cell.outputs) } : cell,
  );
  return { ...notebook, cells };
}

describe("the notebooks", () => {
  test("are five, in the order in which they are read", () => {
    expect(notebooks.map(({ name }) => name[0])).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("compile, each as one module, and so does what they share", { timeout: 180_000 }, () => {
    const cells = notebooks.map(({ name, notebook }): [string, string] => [
      join(folder, `${name}.ts`),
      codeCells(notebook).map(sourceOf).join("\n"),
    ]);
    const lib = readdirSync(join(folder, "lib")).map((name): [string, string] => {
      const file = join(folder, "lib", name);
      return [file, readFileSync(file, "utf8")];
    });
    expect(compileProblems(new Map([...lib, ...cells]))).toEqual([]);
  });

  test.each(notebooks)("$name has an output for all that it shows", ({ notebook }) => {
    expect(lostOutputs(notebook)).toEqual([]);
    const charts = notebook.cells
      .flatMap(({ outputs = [] }) => outputs)
      .filter(({ data }) => data?.["image/svg+xml"]);
    expect(charts.length).toBeGreaterThan(0);
    for (const { data } of charts)
      expect(data!["image/svg+xml"]!.join("")).toMatch(/^<svg[^>]+xmlns=.*<\/svg>$/s);
  });

  test.each(notebooks)("$name has the outputs of the code that it shows", ({ notebook }) => {
    expect(notebook.metadata.sourceDigest).toBe(digestOf(notebook));
  });

  test.each(notebooks)("$name tells no folder of the machine that it ran on", ({ notebook }) => {
    expect(JSON.stringify(notebook)).not.toMatch(
      /"[^"]*(?:\/home\/|\/root\/|\/tmp\/|\/Users\/|[A-Z]:\\\\Users)/,
    );
  });

  test.each(notebooks)(
    "$name says what it is about, and imports only files that are there",
    ({ notebook }) => {
      expect(notebook.cells[0]).toMatchObject({
        cell_type: "markdown",
        source: [
          expect.stringMatching(/^# \d · /),
          ...Array(notebook.cells[0]!.source.length - 1).fill(expect.any(String)),
        ],
      });
      const files = notebook.cells.flatMap(({ source }) => [...source.join("").matchAll(/from "\.\/(.*)"/g)]);
      for (const [, file] of files) expect(existsSync(join(folder, file!)), file).toBe(true);
    },
  );
});

describe("lost outputs", () => {
  const { notebook } = notebooks[0]!;

  test("are found, whichever is missing", () => {
    const shown = codeCells(notebook).filter((cell: Cell) => expectedOutputs(cell) > 0).length;
    expect(lostOutputs(changed(notebook, () => []))).toHaveLength(shown);
    expect(lostOutputs(changed(notebook, (outputs) => outputs.slice(1)))).toHaveLength(shown);
  });

  test("and so is a cell that failed", () => {
    const failed = changed(notebook, (outputs) => [...outputs, { output_type: "error" }]);
    expect(lostOutputs(failed)).toHaveLength(codeCells(notebook).length);
  });

  test("are no concern of files that are not notebooks", () => {
    expect(readdirSync(folder).length).toBeGreaterThan(notebooks.length);
  });
});
