/**
 * Small GGUF v3 files: a reader for the keys of vocabulary files, a writer for models with random weights.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
const TYPES = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 };
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const ALIGNMENT = 32;

/** Keys with their raw bytes (type and value), so that they can be copied without being understood. */
export function readKeys(file) {
  let at = 8;
  const take = (bytes) => {
    at += bytes;
    return at - bytes;
  };
  const u32 = () => file.readUInt32LE(take(4));
  const u64 = () => Number(file.readBigUInt64LE(take(8)));
  u64(); // tensors
  const count = u64();
  const keys = new Map();
  const text = () => {
    const length = u64();
    const from = take(length);
    return file.toString("utf8", from, at);
  };
  const skip = (type) => {
    if (type === TYPES.string) take(u64());
    else if (type === TYPES.array) {
      const of = u32();
      for (let left = u64(); left > 0; left--) skip(of);
    } else take(SIZES[type]);
  };
  for (let index = 0; index < count; index++) {
    const key = text();
    const from = at;
    skip(u32());
    keys.set(key, file.subarray(from, at));
  }
  return keys;
}

const number = (bytes, write) => {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
};
const u32 = (value) => number(4, (b) => b.writeUInt32LE(value));
const u64 = (value) => number(8, (b) => b.writeBigUInt64LE(BigInt(value)));
const string = (value) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
};
const encode = {
  uint32: u32,
  int32: (value) => number(4, (b) => b.writeInt32LE(value)),
  float32: (value) => number(4, (b) => b.writeFloatLE(value)),
  bool: (value) => Buffer.from([value ? 1 : 0]),
  string,
};

/** A key's value as raw bytes: `value("uint32", 5)`, `value(["string"], ["a"])`. */
export function value(type, content) {
  if (!Array.isArray(type)) return Buffer.concat([u32(TYPES[type]), encode[type](content)]);
  return Buffer.concat([
    u32(TYPES.array),
    u32(TYPES[type[0]]),
    u64(content.length),
    ...content.map(encode[type[0]]),
  ]);
}

/** `keys`: Map of name to raw bytes. `tensors`: `{ name, shape, half, data }` with data as Float32Array. */
export function gguf(keys, tensors) {
  const header = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(keys.size)];
  for (const [name, raw] of keys) header.push(string(name), raw);
  let offset = 0;
  const bodies = tensors.map(({ data, half }) => padded(half ? halves(data) : Buffer.from(data.buffer)));
  tensors.forEach(({ name, shape, half }, index) => {
    header.push(string(name), u32(shape.length), ...shape.map(u64), u32(half ? 1 : 0), u64(offset));
    offset += bodies[index].length;
  });
  return Buffer.concat([padded(Buffer.concat(header)), ...bodies]);
}

function padded(buffer) {
  return Buffer.concat([buffer, Buffer.alloc((ALIGNMENT - (buffer.length % ALIGNMENT)) % ALIGNMENT)]);
}

/** IEEE half precision; the weights are small normal numbers, so rounding to nearest is all that is needed. */
function halves(floats) {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const result = new Uint16Array(floats.length);
  for (let index = 0; index < floats.length; index++) {
    const exponent = ((bits[index] >>> 23) & 255) - 112;
    result[index] =
      exponent <= 0 ? 0 : ((bits[index] >>> 16) & 0x8000) | (exponent << 10) | ((bits[index] >>> 13) & 0x3ff);
  }
  return Buffer.from(result.buffer);
}

/** Seeded normal-like numbers (mulberry32, sum of three). */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return (count, scale) =>
    Float32Array.from({ length: count }, () => (next() + next() + next() - 1.5) * scale);
}

/**
 * A llama model with random weights. `silent` says which tokens are never answered: those that are no text.
 */
export function randomLlama({
  keys,
  layers,
  width,
  feedForward,
  heads,
  vocabulary,
  half,
  seed,
  silent,
  trained,
  name,
}) {
  const all = new Map([
    ["general.architecture", value("string", "llama")],
    ["general.name", value("string", name)],
    ["general.file_type", value("uint32", half ? 1 : 0)],
    ["llama.context_length", value("uint32", trained)],
    ["llama.embedding_length", value("uint32", width)],
    ["llama.block_count", value("uint32", layers)],
    ["llama.feed_forward_length", value("uint32", feedForward)],
    ["llama.attention.head_count", value("uint32", heads)],
    ["llama.attention.head_count_kv", value("uint32", heads)],
    ["llama.attention.layer_norm_rms_epsilon", value("float32", 1e-5)],
    ["llama.rope.dimension_count", value("uint32", width / heads)],
    ["llama.vocab_size", value("uint32", vocabulary)],
    ...keys,
  ]);
  const weights = random(seed);
  const matrix = (name, columns, rows) => ({
    name,
    shape: [columns, rows],
    half,
    data: weights(columns * rows, 1.6 / Math.sqrt(columns)),
  });
  const norm = (name) => ({ name, shape: [width], half: false, data: new Float32Array(width).fill(1) });
  const output = matrix("output.weight", width, vocabulary);
  for (let token = 0; token < vocabulary; token++) {
    if (silent(token)) output.data.fill(0, token * width, (token + 1) * width);
  }
  const tensors = [matrix("token_embd.weight", width, vocabulary), norm("output_norm.weight"), output];
  for (let layer = 0; layer < layers; layer++) {
    const block = (part) => `blk.${layer}.${part}.weight`;
    tensors.push(
      norm(block("attn_norm")),
      norm(block("ffn_norm")),
      ...["attn_q", "attn_k", "attn_v", "attn_output"].map((part) => matrix(block(part), width, width)),
      matrix(block("ffn_gate"), width, feedForward),
      matrix(block("ffn_up"), width, feedForward),
      matrix(block("ffn_down"), feedForward, width),
    );
  }
  return gguf(all, tensors);
}
