/** Holds what CONTRIBUTING.md says about folders and imports. */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

/** From the ground up; imports go down only, and those of one line do not import each other. */
const LAYERS = [
  ["records", "errors", "logger"],
  ["optimizer", "analysis", "tokens", "storage", "backend"],
  ["cache", "monitor", "telemetry", "conversations", "rag", "prompts"],
  ["engine"],
  ["calibration", "chatModel", "callbacks", "tuning", "autopilot"],
  ["server"],
  ["cli"],
  ["index"],
];
/** Beside all that. */
const TESTING_MAY_IMPORT = ["testing", "records", "errors"];
const MAY_IMPORT_TESTING = ["testing", "cli"];

/** Where the environment may be read; everything else gets it as an argument. */
const READS_ENVIRONMENT = ["server/", "cli/", "storage/defaultStore.ts"];

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => {
    const text = readFileSync(join(root, "src", path), "utf8");
    const ast = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
    const specifiers = ts.preProcessFile(text).importedFiles.map((file) => file.fileName);
    return {
      path,
      ast,
      files: filesOf(path, specifiers),
      loads: filesOf(path, ast.statements.map(loadedBy)),
      packages: specifiers.filter((specifier) => !specifier.startsWith(".")),
    };
  });

function filesOf(importer: string, specifiers: readonly string[]): string[] {
  return specifiers
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => posix.join(posix.dirname(importer), specifier).replace(/\.js$/, ".ts"));
}

/** What a statement loads before the file runs; "" for everything but imports and re-exports of values. */
function loadedBy(statement: ts.Statement): string {
  const isImport = ts.isImportDeclaration(statement) && !statement.importClause?.isTypeOnly;
  const isExport = ts.isExportDeclaration(statement) && !statement.isTypeOnly;
  const from = isImport || isExport ? statement.moduleSpecifier : undefined;
  return from && ts.isStringLiteral(from) ? from.text : "";
}

/** `optimizer/decide.ts` lies in `optimizer`, `records.ts` in `records`. */
const folderOf = (path: string): string => path.split("/")[0]!.replace(/\.ts$/, "");
const layerOf = (folder: string): number => LAYERS.findIndex((layer) => layer.includes(folder));

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  if (from === "testing") return TESTING_MAY_IMPORT.includes(to);
  if (to === "testing") return MAY_IMPORT_TESTING.includes(from);
  return layerOf(to) < layerOf(from);
}

/** Places in a file whose node passes, as `path:line`. */
function places(found: (node: ts.Node) => boolean): string[] {
  return sources.flatMap(({ path, ast }) => {
    const hits: string[] = [];
    const visit = (node: ts.Node): void => {
      if (found(node)) hits.push(`${path}:${ast.getLineAndCharacterOfPosition(node.getStart(ast)).line + 1}`);
      ts.forEachChild(node, visit);
    };
    visit(ast);
    return hits;
  });
}

describe("the layout of src", () => {
  test("every file lies in a folder that has a place in the layers", () => {
    const astray = sources.filter(({ path }) => folderOf(path) !== "testing" && layerOf(folderOf(path)) < 0);

    expect(astray.map(({ path }) => path)).toEqual([]);
    expect(sources.length).toBeGreaterThan(5);
  });

  test("imports go down only", () => {
    const upward = sources.flatMap(({ path, files }) =>
      files.filter((file) => !mayImport(folderOf(path), folderOf(file))).map((file) => `${path} -> ${file}`),
    );

    expect(upward).toEqual([]);
  });

  test("the direction is judged right", () => {
    expect(mayImport("engine", "optimizer")).toBe(true);
    expect(mayImport("optimizer", "storage")).toBe(false);
    expect(mayImport("storage", "engine")).toBe(false);
    expect(mayImport("testing", "storage")).toBe(false);
    expect(mayImport("chatModel", "testing")).toBe(false);
    expect(mayImport("cli", "testing")).toBe(true);
  });

  test("no file loads itself through others", () => {
    const imports = new Map(sources.map(({ path, loads }) => [path, loads]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const walk = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      if (done.has(path) || trail.includes(path)) return;
      for (const next of imports.get(path) ?? []) walk(next, [...trail, path]);
      done.add(path);
    };
    for (const path of imports.keys()) walk(path, []);

    expect(cycles).toEqual([]);
  });

  test("nothing is called utils", () => {
    const attic = /(^|\/)(utils?|helpers?|common|shared|misc)(\/|\.ts$)/i;

    expect(sources.map(({ path }) => path).filter((path) => attic.test(path))).toEqual([]);
  });

  test("nothing is typed any", () => {
    expect(places((node) => node.kind === ts.SyntaxKind.AnyKeyword)).toEqual([]);
  });

  test("the environment is read where the layout says, and by the chat model through LangChain", () => {
    const readsEnvironment = places(
      (node) =>
        ts.isPropertyAccessExpression(node) &&
        node.name.text === "env" &&
        ts.isIdentifier(node.expression) &&
        node.expression.text === "process",
    );
    const asksLangChain = places(
      (node) =>
        ts.isCallExpression(node) &&
        ts.isIdentifier(node.expression) &&
        node.expression.text === "getEnvironmentVariable",
    );

    const outside = (allowed: string[]) => (place: string) => !allowed.some((path) => place.startsWith(path));
    expect(readsEnvironment.filter(outside(READS_ENVIRONMENT))).toEqual([]);
    expect(asksLangChain.filter(outside(["chatModel/"]))).toEqual([]);
  });

  test("src imports only Node and what the manifest gives its users", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const given = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    const foreign = sources.flatMap(({ path, packages }) =>
      packages
        .filter((name) => !name.startsWith("node:"))
        .filter((name) => !given.some((known) => name === known || name.startsWith(`${known}/`)))
        .map((name) => `${path} -> ${name}`),
    );

    expect(foreign).toEqual([]);
  });
});
