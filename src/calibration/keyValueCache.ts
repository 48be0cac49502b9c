/** What a model's key-value cache takes by its shape: the part of memory that grows with the window. */

/** Bytes of an f16 value: Ollama's default `OLLAMA_KV_CACHE_TYPE`, and the attention mask. */
const F16_BYTES = 2;

/**
 * Bytes of the cache per token of window: layers x key-value heads x (key length + value length) x bytes of a value
 * (llama.cpp's `llama-kv-cache`; 23,040 for SmolLM2-135M, 131,072 for Llama 3 8B).
 *
 * @param modelInfo of `/api/show`
 * @param valueBytes 2 for f16, 34/32 for q8_0, 18/32 for q4_0
 * @returns null for what the formula does not cover: heads by layer, sliding windows, recurrent layers, latent attention
 * @example cacheBytesPerToken({ "general.architecture": "llama", "llama.block_count": 32, "llama.embedding_length": 4096,
 *   "llama.attention.head_count": 32, "llama.attention.head_count_kv": 8 }) // 131072
 */
export function cacheBytesPerToken(
  modelInfo: Readonly<Record<string, unknown>> | undefined,
  valueBytes: number = F16_BYTES,
): number | null {
  const architecture = String(modelInfo?.["general.architecture"]);
  const numberOf = (key: string): number | undefined => {
    const value = modelInfo?.[`${architecture}.${key}`];
    return typeof value === "number" ? value : undefined;
  };
  const isOther = ["attention.sliding_window", "attention.kv_lora_rank", "ssm.state_size"].some(
    (key) => modelInfo?.[`${architecture}.${key}`] !== undefined,
  );
  const layers = numberOf("block_count");
  const width = numberOf("embedding_length");
  const heads = numberOf("attention.head_count");
  // `null` stands for a list: each layer has its own number.
  const isByLayer = modelInfo?.[`${architecture}.attention.head_count_kv`] === null;
  if (isOther || isByLayer || !layers || !width || !heads) return null;
  const keyLength = numberOf("attention.key_length") ?? width / heads;
  const valueLength = numberOf("attention.value_length") ?? width / heads;
  return layers * (numberOf("attention.head_count_kv") ?? heads) * (keyLength + valueLength) * valueBytes;
}

/**
 * Bytes of the attention mask per token of window: a batch of rows, in f16. 0.34.0 counts it as part of a loaded
 * model to the byte (two models, batches of 64 to 2,048);
 * 0.24.0 counts no buffers of computation.
 *
 * @example maskBytesPerToken(256) // 512
 */
export function maskBytesPerToken(numBatch: number): number {
  return numBatch * F16_BYTES;
}
