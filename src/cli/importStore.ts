/** `import`: adds an export to a store. */
import { createReadStream, statSync } from "node:fs";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { OptimizerError } from "../errors.js";
import { importStore, type TransferProgress } from "../storage/transfer.js";
import { EXIT, type Surroundings, usageError } from "./command.js";
import { readFlags } from "./flags.js";
import { type Status, status } from "./status.js";
import { STORE_FLAGS, STORE_HELP, withStore } from "./storeAt.js";
import { count } from "./terminal.js";

export const usage: string = `import FILE [options]

Adds an export to a store: requests that it lacks, and what was learned, counts added to counts. FILE is what \`export\`
wrote, compressed or not; "-" is the standard input. The same export is refused a second time, for its counts would be
added twice; so would those of a later export of the same store, which belongs into an empty one. Ctrl-C stops between
requests, and the import can be begun again; what was learned is taken in at a stroke at the end.

  --json          what was read, as JSON
${STORE_HELP}

Examples:
  langchain-ollama-optimizer import optimizer.jsonl.gz
  langchain-ollama-optimizer import all.jsonl --store redis://127.0.0.1:6379 --prefix team:
`;

/**
 * @throws OptimizerError `ARGUMENT_INVALID`, `FILE_UNREADABLE`, `STORE_EXPORT_DAMAGED`, `STORE_ALREADY_IMPORTED`,
 * `STORE_NEWER` and what opening the store throws
 */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { out, err, signal } = surroundings;
  const { values, positionals } = readFlags(args, { ...STORE_FLAGS, json: { type: "boolean" } });
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) {
    throw usageError(
      file === undefined ? "No file was named" : "More than one file was named",
      'Name one that `export` wrote, or "-" for the standard input.',
    );
  }
  const source = opened(file, surroundings);
  const shown = status(err);
  try {
    const read = await withStore(
      values,
      surroundings,
      (store) =>
        importStore(store, lines(source, signal), {
          onProgress: (progress) => tell(shown, progress, source),
        }),
      { create: true },
    );
    shown.end();
    out.write(
      values.json
        ? `${JSON.stringify(read)}\n`
        : `${count(read.requests)} requests and ${count(read.documents)} documents were read.\n`,
    );
    return EXIT.ok;
  } finally {
    shown.end();
    source.bytes.destroy();
  }
}

interface Source {
  readonly name: string;
  readonly bytes: Readable;
  /** 0 to 1; 0 where nobody knows how much there is. */
  share(): number;
}

function opened(file: string, { input }: Surroundings): Source {
  if (file === "-") {
    if (input === undefined || input.isTTY) {
      throw usageError("Nothing is piped in", "Pipe an export in, or name a file.");
    }
    return { name: "the standard input", bytes: input as Readable, share: () => 0 };
  }
  try {
    const { size } = statSync(file);
    const bytes = createReadStream(file);
    // It may fail while the store is still being opened, when nobody reads yet: whoever reads is told then.
    bytes.on("error", () => {});
    return { name: file, bytes, share: () => (size > 0 ? bytes.bytesRead / size : 1) };
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function tell(shown: Status, { requests, documents }: TransferProgress, source: Source): void {
  shown.show(`${count(requests)} requests, ${count(documents)} documents`, source.share());
}

/** Half of what was learned cannot be taken back: from there on it goes through. */
async function* lines(source: Source, signal: AbortSignal): AsyncGenerator<string> {
  try {
    for await (const line of linesOf(unpacked(source.bytes))) {
      if (!line.startsWith('{"type":"document"') && !line.startsWith('{"type":"end"'))
        signal.throwIfAborted();
      yield line;
    }
  } catch (error) {
    throw signal.aborted ? error : unreadable(source.name, error);
  }
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
  yield rest;
}

/** Of a compressed file as of any other: by its first bytes (RFC 1952), whatever its name. */
async function* unpacked(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const chunks = bytes[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < 2) {
    const { value, done } = await chunks.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield head;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  }
  if (head[0] !== 0x1f || head[1] !== 0x8b) return yield* whole();
  // Its failure comes out of the end that is read.
  yield* pipeline(whole, createGunzip(), () => {});
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EACCES: "permission is denied",
  EISDIR: "it is a folder",
  ENXIO: "it is no file",
  Z_BUF_ERROR: "it ends too early",
  Z_DATA_ERROR: "its compression is damaged",
};

function unreadable(file: string, cause: unknown): unknown {
  const reason = REASONS[(cause as NodeJS.ErrnoException).code ?? ""];
  if (reason === undefined) return cause;
  return new OptimizerError({
    code: "FILE_UNREADABLE",
    message: `${file} cannot be read: ${reason}`,
    remedy: "Name a file that `export` wrote.",
    cause,
  });
}
