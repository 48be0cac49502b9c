/** Compiles text that is not a file of the project, against the sources. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const root = join(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** The source that a name of this package stands for; undefined for another package's. */
export function packageSource(specifier: string): string | undefined {
  const entry = manifest.exports[specifier.replace(manifest.name, ".")] as { default?: string } | undefined;
  return specifier.startsWith(manifest.name) && entry?.default
    ? entry.default.replace("./dist/", "./src/").replace(/\.js$/, ".ts")
    : undefined;
}

/**
 * What the compiler says of modules.
 *
 * @param files text by path; the path decides what relative imports mean
 */
export function compileProblems(files: ReadonlyMap<string, string>): string[] {
  const paths = Object.keys(manifest.exports)
    .map((name) => name.replace(".", manifest.name))
    .flatMap((name) => (packageSource(name) ? [[name, [packageSource(name)!]]] : []));
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(
    {
      ...config,
      compilerOptions: {
        ...config.compilerOptions,
        paths: Object.fromEntries(paths),
        isolatedDeclarations: false,
        declaration: false,
        allowImportingTsExtensions: true,
      },
    },
    ts.sys,
    root,
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.getSourceFile = (name, version, ...rest) => {
    const code = files.get(name);
    // An import makes it a module of its own; without one its names would be everybody's.
    return code === undefined
      ? getSourceFile(name, version, ...rest)
      : ts.createSourceFile(name, code, version);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.keys()]
    .flatMap((name) => {
      const file = program.getSourceFile(name)!;
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    })
    .map(
      ({ messageText, file, start }) =>
        `${file?.text.slice(start, start! + 80)}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
}
