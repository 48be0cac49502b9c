import { createHash } from "node:crypto";
import type { Vocabulary } from "./vocabulary.js";

/** Changes with the layout of the file and with how `/api/show` is read: other files are read anew. */
const MAGIC = Buffer.from("LOOTOK01");
const DIGEST_BYTES = 32;

interface Header {
  readonly kind: Vocabulary["kind"];
  readonly pre: string;
  readonly addSpacePrefix: boolean;
  readonly stripsAfterControl: boolean;
  readonly size: number;
  readonly textCount: number;
  readonly textBytes: number;
  readonly mergeCount: number;
  readonly scoreCount: number;
}

/**
 * A vocabulary in about 60 % of the bytes of `/api/show`, ready to use: reading it takes a tenth of the time.
 * Layout: magic, header length, header as JSON, text lengths, texts, types, merges, scores, SHA-256 of all that.
 */
export function packVocabulary(vocabulary: Vocabulary): Buffer {
  const { kind, pre, addSpacePrefix, stripsAfterControl, size, texts, types, merges, scores } = vocabulary;
  const blob = Buffer.from(texts.join(""), "utf8");
  const header: Header = {
    kind,
    pre,
    addSpacePrefix,
    stripsAfterControl,
    size,
    textCount: texts.length,
    textBytes: blob.length,
    mergeCount: merges.length,
    scoreCount: scores.length,
  };
  const headerBytes = Buffer.from(JSON.stringify(header));
  const headerLength = Buffer.alloc(4);
  headerLength.writeUInt32LE(headerBytes.length);
  const body = Buffer.concat([
    MAGIC,
    headerLength,
    headerBytes,
    bytesOf(Uint16Array.from(texts, (text) => text.length)),
    blob,
    types,
    bytesOf(merges),
    bytesOf(scores),
  ]);
  return Buffer.concat([body, createHash("sha256").update(body).digest()]);
}

/** The vocabulary in a file; null when the file is damaged or of another version. */
export function unpackVocabulary(file: Buffer): Vocabulary | null {
  const body = file.subarray(0, Math.max(0, file.length - DIGEST_BYTES));
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  if (!createHash("sha256").update(body).digest().equals(file.subarray(body.length))) return null;
  let offset = MAGIC.length + 4;
  const take = (length: number): Buffer => {
    offset += length;
    return body.subarray(offset - length, offset);
  };
  const header = JSON.parse(take(body.readUInt32LE(MAGIC.length)).toString()) as Header;
  const lengths = new Uint16Array(copyOf(take(header.textCount * 2)));
  const blob = take(header.textBytes).toString("utf8");
  let start = 0;
  const texts = Array.from(lengths, (length) => {
    start += length;
    return blob.slice(start - length, start);
  });
  return {
    kind: header.kind,
    pre: header.pre,
    addSpacePrefix: header.addSpacePrefix,
    stripsAfterControl: header.stripsAfterControl,
    size: header.size,
    texts,
    types: new Uint8Array(copyOf(take(header.size))),
    merges: new Uint32Array(copyOf(take(header.mergeCount * 4))),
    scores: new Float32Array(copyOf(take(header.scoreCount * 4))),
  };
}

function bytesOf(array: Uint16Array | Uint32Array | Float32Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

/** A copy of its own: typed arrays need aligned offsets. */
function copyOf(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
