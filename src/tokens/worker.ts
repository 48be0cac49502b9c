/** The worker thread of a {@link TokenizerPool}: parses, builds and counts, so that the main thread never waits. */
import { readFile } from "node:fs/promises";
import { type MessagePort, parentPort } from "node:worker_threads";
import writeFileAtomic from "write-file-atomic";
import { OptimizerError } from "../errors.js";
import { blocks } from "./blocks.js";
import { countO200k } from "./o200k.js";
import type { Answers, Reply, Request } from "./protocol.js";
import { letOthersIn } from "./slices.js";
import { Tokenizer } from "./tokenizer.js";
import { readVocabulary } from "./vocabulary.js";
import { packVocabulary, unpackVocabulary } from "./vocabularyFile.js";

const tokenizers = new Map<string, Tokenizer>();
/** Parts that their request has not followed yet, by its id. */
const parts = new Map<number, (string | Uint8Array)[]>();
const port = parentPort as MessagePort;

port.on("message", (request: Request) => {
  if (request.type === "part") {
    const held = parts.get(request.id) ?? [];
    held.push(request.part);
    parts.set(request.id, held);
    return;
  }
  if (request.type === "discard") {
    parts.delete(request.id);
    return;
  }
  answer(request).then(
    (value) => reply({ id: request.id, value }),
    (error: unknown) => reply({ id: request.id, error: describe(error) }),
  );
});

function reply(message: Reply): void {
  const isLong = "value" in message && message.value instanceof Uint32Array;
  port.postMessage(message, isLong ? [(message.value as Uint32Array).buffer as ArrayBuffer] : []);
}

async function answer(request: Request): Promise<Answers[keyof Answers]> {
  switch (request.type) {
    case "loadFile":
      return loadFile(request.digest, request.file);
    case "loadShow":
      return loadShow(request.digest, take(request.id) as Uint8Array[], request.file);
    case "drop":
      tokenizers.delete(request.digest);
      return null;
    case "count": {
      const tokenizer = loaded(request.digest);
      const counts: number[] = [];
      for (const text of textsOf(request.id, request.texts)) counts.push(await countGently(tokenizer, text));
      return counts;
    }
    case "encode":
      return loaded(request.digest).encode(textsOf(request.id, [request.text])[0] as string);
    case "estimate":
      return estimateGently(textsOf(request.id, [request.text])[0] as string);
    case "part":
    case "discard":
      return null;
  }
}

function take(id: number): (string | Uint8Array)[] {
  const held = parts.get(id) ?? [];
  parts.delete(id);
  return held;
}

/** Parts stand before the last text of their request. */
function textsOf(id: number, texts: readonly string[]): readonly string[] {
  const held = take(id);
  return held.length === 0 ? texts : [...texts.slice(0, -1), held.join("") + (texts.at(-1) ?? "")];
}

/** Lets other requests in between blocks of a long text. */
async function countGently(tokenizer: Tokenizer, text: string): Promise<number> {
  const steps = tokenizer.countInSteps(text);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await letOthersIn();
  }
}

async function estimateGently(text: string): Promise<number> {
  let total = 0;
  for (const block of blocks(text)) {
    total += countO200k(block);
    await letOthersIn();
  }
  return total;
}

async function loadFile(digest: string, file: string): Promise<readonly string[] | null> {
  const bytes = await readFile(file).catch(() => null);
  const vocabulary = bytes === null ? null : unpackVocabulary(bytes);
  if (vocabulary === null) return null;
  const tokenizer = new Tokenizer(vocabulary);
  tokenizers.set(digest, tokenizer);
  return tokenizer.boundaries;
}

async function loadShow(
  digest: string,
  bytes: readonly Uint8Array[],
  file: string | null,
): Promise<readonly string[]> {
  const vocabulary = readVocabulary(JSON.parse(Buffer.concat(bytes).toString("utf8")));
  const tokenizer = new Tokenizer(vocabulary);
  tokenizers.set(digest, tokenizer);
  // Fetching 4 MB again is all that a lost write costs.
  if (file !== null) await writeFileAtomic(file, packVocabulary(vocabulary), { mode: 0o600 }).catch(() => {});
  return tokenizer.boundaries;
}

function loaded(digest: string): Tokenizer {
  const tokenizer = tokenizers.get(digest);
  if (tokenizer !== undefined) return tokenizer;
  throw new OptimizerError({
    code: "TOKENIZER_MISSING",
    message: `no tokenizer is loaded for ${digest}`,
    remedy: "Load it first.",
  });
}

/** Never a message of the runtime: `JSON.parse` quotes what it failed on. */
function describe(error: unknown): { code: string; message: string } {
  if (error instanceof OptimizerError) return { code: error.code, message: error.message };
  return { code: "TOKENIZER_FAILED", message: error instanceof Error ? error.name : "unknown error" };
}
