/** `export`: the whole store as one file. */
import { once } from "node:events";
import { Writable } from "node:stream";
import type { OptimizerStore } from "../storage/store.js";
import { exportStore, type TransferProgress } from "../storage/transfer.js";
import { EXIT, type Surroundings } from "./command.js";
import { readFlags, refuseMore } from "./flags.js";
import { assertWritable, writeWhole } from "./outputFile.js";
import { status } from "./status.js";
import { STORE_FLAGS, STORE_HELP, withStore } from "./storeAt.js";
import type { Output } from "./terminal.js";
import { count } from "./terminal.js";

export const usage: string = `export [FILE] [options]

Writes the whole store, one JSON object a line, for \`import\` on another machine or into another kind of store. Without
a FILE, or with "-", to the standard output; compressed when FILE ends in ".gz". The file is there whole or not at all,
also after Ctrl-C. Prompts and replies are in it only where the store has them (storeText).

  --force         also over a file that is there
  --json          what was written, as JSON
${STORE_HELP}

Examples:
  langchain-ollama-optimizer export optimizer.jsonl.gz
  langchain-ollama-optimizer export --store postgres://me@db/optimizer > all.jsonl
  langchain-ollama-optimizer export - | ssh box langchain-ollama-optimizer import -
`;

/** Bytes that are written at once. */
const CHUNK = 64 * 1024;

/** @throws OptimizerError `ARGUMENT_INVALID`, `FILE_EXISTS`, `FILE_NOT_WRITTEN` and what opening the store throws */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { out, err, signal } = surroundings;
  const { values, positionals } = readFlags(args, {
    ...STORE_FLAGS,
    force: { type: "boolean" },
    json: { type: "boolean" },
  });
  const [file = "-", ...others] = positionals;
  refuseMore(others, "Name one file.");
  if (file !== "-") assertWritable(file, values.force ?? false);
  const written = await withStore(values, surroundings, async (store) => {
    const { chunks, progress } = exported(store, surroundings);
    if (file === "-") await print(out, chunks, signal);
    else await writeWhole(file, chunks, signal);
    return progress();
  });
  const where = file === "-" ? err : out;
  where.write(
    values.json
      ? `${JSON.stringify({ file: file === "-" ? null : file, ...written })}\n`
      : `${count(written.requests)} requests and ${count(written.documents)} documents${file === "-" ? "" : ` are in ${file}`}.\n`,
  );
  return EXIT.ok;
}

/** Lines in chunks, with a bar: how far it is, the times of the requests tell. */
function exported(
  store: OptimizerStore,
  { err, signal }: Surroundings,
): { readonly chunks: AsyncGenerator<string>; progress(): TransferProgress } {
  let last: TransferProgress = { requests: 0, documents: 0 };
  const shown = status(err);
  async function* chunks(): AsyncGenerator<string> {
    const [from, to] = [await timeOf(store, false), await timeOf(store, true)];
    let share = 0;
    let newest = "";
    const onProgress = (progress: TransferProgress): void => {
      last = progress;
      const at = Date.parse(AT.exec(newest)?.[1] ?? "");
      if (to > from && at >= from) share = Math.min(1, (at - from) / (to - from));
      shown.show(`${count(progress.requests)} requests, ${count(progress.documents)} documents`, share);
    };
    let chunk = "";
    try {
      for await (const line of exportStore(store, { onProgress })) {
        signal.throwIfAborted();
        newest = line;
        chunk += `${line}\n`;
        if (chunk.length < CHUNK) continue;
        yield chunk;
        chunk = "";
      }
      yield chunk;
    } finally {
      shown.end();
    }
  }
  return { chunks: chunks(), progress: () => last };
}

/** Of a request's line. */
const AT = /"at":"([^"]+)"/;

async function timeOf(store: OptimizerStore, newestFirst: boolean): Promise<number> {
  for await (const { at } of store.requests({ limit: 1, newestFirst })) return Date.parse(at);
  return 0;
}

/** Waits for a reader that is slower. */
async function print(out: Output, chunks: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
  for await (const chunk of chunks) {
    if (out.write(chunk) === false && out instanceof Writable) await once(out, "drain", { signal });
  }
}
