/**
 * Writes GGUF v3, the file format of llama.cpp: magic, counts, key-value pairs, tensor table, aligned data.
 * Source: ggml `docs/gguf.md`.
 */

/** A metadata value with its GGUF type. */
export type GgufValue =
  | { readonly type: "uint32" | "int32" | "float32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "int32s"; readonly value: readonly number[] };

/** A tensor of 32-bit floats; `shape` has the fastest dimension first, as ggml does. */
export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const typeIds = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const alignment = 32;

/**
 * @returns the whole file
 * @example writeFileSync("tiny.gguf", ggufFile({ "general.architecture": { type: "string", value: "llama" } }, []))
 */
export function ggufFile(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Buffer {
  const head: Uint8Array[] = [
    Buffer.from("GGUF"),
    uint32(3),
    uint64(tensors.length),
    uint64(Object.keys(metadata).length),
  ];
  for (const [key, value] of Object.entries(metadata)) head.push(text(key), ...typed(value));
  let offset = 0;
  for (const tensor of tensors) {
    const size = tensor.shape.reduce((product, dimension) => product * dimension, 1);
    if (size !== tensor.data.length)
      throw new RangeError(`${tensor.name} has ${tensor.data.length} values, not ${size}`);
    head.push(
      text(tensor.name),
      uint32(tensor.shape.length),
      ...tensor.shape.map(uint64),
      uint32(0),
      uint64(offset),
    );
    offset += padded(tensor.data.byteLength);
  }
  const before = Buffer.concat(head);
  const parts: Uint8Array[] = [before, Buffer.alloc(padded(before.length) - before.length)];
  for (const { data } of tensors) {
    parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    parts.push(Buffer.alloc(padded(data.byteLength) - data.byteLength));
  }
  return Buffer.concat(parts);
}

function typed(value: GgufValue): Buffer[] {
  switch (value.type) {
    case "strings":
      return [
        uint32(typeIds.array),
        uint32(typeIds.string),
        uint64(value.value.length),
        ...value.value.map(text),
      ];
    case "int32s":
      return [
        uint32(typeIds.array),
        uint32(typeIds.int32),
        uint64(value.value.length),
        ...value.value.map(int32),
      ];
    case "string":
      return [uint32(typeIds.string), text(value.value)];
    case "bool":
      return [uint32(typeIds.bool), Buffer.from([value.value ? 1 : 0])];
    case "uint32":
      return [uint32(typeIds.uint32), uint32(value.value)];
    case "int32":
      return [uint32(typeIds.int32), int32(value.value)];
    case "float32": {
      const buffer = Buffer.alloc(4);
      buffer.writeFloatLE(value.value);
      return [uint32(typeIds.float32), buffer];
    }
  }
}

function padded(length: number): number {
  return Math.ceil(length / alignment) * alignment;
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  return buffer;
}

function uint64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([uint64(bytes.length), bytes]);
}
