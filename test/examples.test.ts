/**
 * Runs the examples of docstrings: below `@example`, a line `expression // value` says what the expression gives.
 * See CONTRIBUTING.md for how they are written.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const src = join(import.meta.dirname, "..", "src");

/** A comment that is a value and no prose: a string, number, list, object or one of the constants. */
const VALUE = /^(["'`[{\d-]|(true|false|null|undefined|NaN|Infinity)$)/;

/** The code below each `@example` of a file's docstrings. */
function examplesOf(text: string): string[] {
  return (text.match(/\/\*\*[\s\S]*?\*\//g) ?? []).flatMap((comment) => {
    const lines = comment.slice(3, -2).replace(/^[ \t]*(\* ?)?/gm, "");
    return [...lines.matchAll(/^@example\b([\s\S]*?)(?=^@|$(?![\s\S]))/gm)].map((match) => match[1]!.trim());
  });
}

interface Claim {
  readonly statement: ts.Statement;
  readonly value: string;
}

/** The statements that a comment with a value follows on their last line. */
function claimsOf(parsed: ts.SourceFile): Claim[] {
  return parsed.statements.flatMap((statement) => {
    const [comment] = ts.getTrailingCommentRanges(parsed.text, statement.end) ?? [];
    const value = comment ? parsed.text.slice(comment.pos + 2, comment.end).trim() : "";
    return VALUE.test(value) ? [{ statement, value }] : [];
  });
}

/** The example with a check at each claim. */
function checked(example: string): string {
  const parsed = parse(example);
  const claims = new Map(claimsOf(parsed).map(({ statement, value }) => [statement, JSON.stringify(value)]));
  return parsed.statements
    .map((statement) => {
      const code = statement.getText(parsed);
      const value = claims.get(statement);
      if (!value) return code;
      if (ts.isExpressionStatement(statement))
        return `check(${statement.expression.getText(parsed)}, ${value});`;
      if (!ts.isVariableStatement(statement)) throw new Error(`Nothing to compare with ${value}: ${code}`);
      return `${code}\ncheck(${statement.declarationList.declarations[0]!.name.getText(parsed)}, ${value});`;
    })
    .join("\n");
}

const parse = (example: string): ts.SourceFile =>
  ts.createSourceFile("example.ts", example, ts.ScriptTarget.ES2022);

/** Deep equality; a number with decimals is compared to as many as it shows. */
function check(actual: unknown, value: string): void {
  const expected: unknown = new Function(`return (${value});`)();
  const decimals = /^-?\d+\.(\d+)$/.exec(value)?.[1]?.length;
  if (decimals) expect(actual).toBeCloseTo(expected as number, decimals);
  else expect(actual).toEqual(expected);
}

const AsyncFunction = (async () => {}).constructor as new (
  ...code: string[]
) => (...values: unknown[]) => Promise<void>;

async function run(example: string, scope: Readonly<Record<string, unknown>>): Promise<void> {
  const { ES2022 } = ts.ScriptTarget;
  const body = ts.transpile(checked(example), { target: ES2022, module: ts.ModuleKind.ES2022 });
  const names = Object.keys(scope);
  await new AsyncFunction("check", ...names, body)(check, ...names.map((name) => scope[name]));
}

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .map((path) => ({ path, text: readFileSync(join(src, path), "utf8") }));

/** The exports that an example names, of its own file and of others in the same folder. */
async function scopeOf(path: string, example: string): Promise<Record<string, unknown>> {
  const scope: Record<string, unknown> = {};
  const neighbours = files.filter((file) => dirname(file.path) === dirname(path) && file.path !== path);
  for (const file of [...neighbours, ...files.filter((own) => own.path === path)]) {
    const exported = [...file.text.matchAll(/^export (?:async )?(?:const|function\*?|class) (\w+)/gm)];
    const named = exported
      .map((match) => match[1]!)
      .filter((name) => new RegExp(`\\b${name}\\b`).test(example));
    if (named.length === 0) continue;
    const module: Record<string, unknown> = await import(join(src, file.path));
    for (const name of named) scope[name] = module[name];
  }
  return scope;
}

const examples = files.flatMap(({ path, text }) =>
  examplesOf(text)
    // Without a claim it shows how something is used, with servers and files that are not here.
    .filter((example) => claimsOf(parse(example)).length > 0)
    .map((example) => ({ path, example, first: example.split("\n", 1)[0] })),
);

test.each(examples)("$path: $first", async ({ path, example }) => {
  await run(example, await scopeOf(path, example));
});

test("a claim that is wrong fails, whether a value or its declaration makes it", async () => {
  const scope = { half: (n: number) => n / 2 };

  await run("half(6) // 3\nconst x: number = half(5); // 2.5\nhalf(1) // is less", scope);
  await run("half(\n  8,\n) // 4", scope);
  await expect(run("half(6) // 4", scope)).rejects.toThrow("expected 3 to deeply equal 4");
  await expect(run("const x = half(6); // 4", scope)).rejects.toThrow("expected 3 to deeply equal 4");
  await expect(run("double(6) // 12", scope)).rejects.toThrow("double is not defined");
});

test("examples are found in docstrings, one or several, of one line or more", () => {
  const text = `
/** @example f(1) // 2 */
/**
 * Prose.
 * @example
 * const a = 1;
 * f(a) // "b"
 * @example g() // [1, 2]
 * @returns nothing
 */`;

  expect(examplesOf(text)).toEqual(["f(1) // 2", 'const a = 1;\nf(a) // "b"', "g() // [1, 2]"]);
});
