/** Finds the examples of docstrings and runs those that say what they give. */
import ts from "typescript";
import { expect } from "vitest";

/** A comment that is a value and no prose: a string, number, list, object or one of the constants. */
const VALUE = /^(["'`[{\d-]|(true|false|null|undefined|NaN|Infinity)$)/;

/** The code below each `@example` of a file's docstrings. */
export function examplesOf(text: string): string[] {
  return (text.match(/\/\*\*[\s\S]*?\*\//g) ?? []).flatMap((comment) => {
    const lines = comment.slice(3, -2).replace(/^[ \t]*(\* ?)?/gm, "");
    return [...lines.matchAll(/^@example\b([\s\S]*?)(?=^@|$(?![\s\S]))/gm)].map((match) => match[1]!.trim());
  });
}

/** Whether an example states what something gives. */
export function hasClaim(example: string): boolean {
  return claimsOf(parse(example)).size > 0;
}

/** Names that an example uses without declaring them and that are no globals, each once. */
export function freeNames(example: string): string[] {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) return;
    if (ts.isIdentifier(node)) {
      if (declares(node)) declared.add(node.text);
      else if (!isFieldName(node)) used.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(example));
  return [...used].filter((name) => !declared.has(name) && !(name in globalThis));
}

/**
 * Runs an example with a check at each claim.
 *
 * @param scope values of its free names
 */
export async function run(example: string, scope: Readonly<Record<string, unknown>>): Promise<void> {
  const { ES2022 } = ts.ScriptTarget;
  const body = ts.transpile(checked(example), { target: ES2022, module: ts.ModuleKind.ES2022 });
  const names = Object.keys(scope);
  await new AsyncFunction("check", ...names, body)(check, ...names.map((name) => scope[name]));
}

const AsyncFunction = (async () => {}).constructor as new (
  ...code: string[]
) => (...values: unknown[]) => Promise<void>;

function parse(example: string): ts.SourceFile {
  return ts.createSourceFile("example.ts", example, ts.ScriptTarget.ES2022, true);
}

/** Statements and the value in the comment behind them, or on the line below. */
function claimsOf(parsed: ts.SourceFile): Map<ts.Statement, string> {
  const claims = new Map<ts.Statement, string>();
  for (const statement of parsed.statements) {
    const [, value] = /^[ \t]*\n?[ \t]*\/\/ *(.*)/.exec(parsed.text.slice(statement.end)) ?? [];
    if (value && VALUE.test(value)) claims.set(statement, value);
  }
  return claims;
}

function checked(example: string): string {
  const parsed = parse(example);
  const claims = claimsOf(parsed);
  return parsed.statements
    .map((statement) => {
      const code = statement.getText(parsed);
      const claim = claims.get(statement);
      if (claim === undefined) return code;
      const value = JSON.stringify(claim);
      if (ts.isExpressionStatement(statement)) {
        return `check(${statement.expression.getText(parsed)}, ${value});`;
      }
      if (!ts.isVariableStatement(statement)) throw new Error(`Nothing to compare with ${claim}: ${code}`);
      return `${code}\ncheck(${statement.declarationList.declarations[0]!.name.getText(parsed)}, ${value});`;
    })
    .join("\n");
}

/** Deep equality; a number with decimals is compared to as many as it shows. */
function check(actual: unknown, value: string): void {
  const expected = evaluated(value);
  const decimals = /^-?\d+\.(\d+)$/.exec(value)?.[1]?.length;
  if (decimals) expect(actual).toBeCloseTo(expected as number, decimals);
  else expect(actual).toEqual(expected);
}

function evaluated(text: string): unknown {
  try {
    return new Function(`return (${text});`)();
  } catch (cause) {
    throw new Error(`Behind // stands a value alone, not "${text}"`, { cause });
  }
}

function declares(name: ts.Identifier): boolean {
  const { parent } = name;
  const named =
    ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isFunctionDeclaration(parent);
  return (named || ts.isBindingElement(parent)) && parent.name === name;
}

function isFieldName(name: ts.Identifier): boolean {
  const { parent } = name;
  if (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent)) return parent.name === name;
  if (ts.isBindingElement(parent)) return parent.propertyName === name;
  return ts.isMethodDeclaration(parent);
}
