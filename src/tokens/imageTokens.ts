/** What an image costs is the model's: its projector makes a fixed number of tokens of it, or up to a largest. */

/** Where the architecture tells nothing: LLaVA makes 576, MiniCPM-V about 700, Gemma 4 and Pixtral up to 1,120. */
const USUAL = 1_536;
/** Begin and end of an image, and the blank lines around it (Ollama 0.24.0 `model/models/gemma3/model.go`). */
const AROUND = 8;

/**
 * The most that an image becomes, by `general.architecture`: the larger of llama.cpp's `set_limit_image_tokens` in
 * `tools/mtmd/clip.cpp` (Ollama >= 0.30) and `model/models` of Ollama 0.24.0.
 */
const LARGEST: ReadonlyMap<string, number> = new Map(
  Object.entries({
    gemma3: 256,
    qwen2vl: 4_096,
    qwen25vl: 4_096,
    qwen3vl: 4_096,
    qwen3vlmoe: 4_096,
    qwen35: 4_096,
    qwen35moe: 4_096,
    glm4v: 4_096,
    // 1,540 pixels a side, 28 a token, and a token at the end of each row (0.24.0 `mistral3/imageproc.go`).
    mistral3: 55 * 56,
    // 16 tiles and the whole of 336 pixels, 28 a token, each with its separators (0.24.0 `llama4/process_image.go`).
    llama4: 17 * (144 + 2),
  }),
);

/**
 * Tokens that an image in a prompt is counted as, whatever its size.
 *
 * @param modelInfo `model_info` of `/api/show`
 * @example tokensPerImage({ "general.architecture": "gemma3", "gemma3.mm.tokens_per_image": 256 }) // 264
 * @example tokensPerImage({ "general.architecture": "qwen25vl" }) // 4104
 */
export function tokensPerImage(modelInfo: Readonly<Record<string, unknown>> = {}): number {
  const architecture = String(modelInfo["general.architecture"]);
  const told = modelInfo[`${architecture}.mm.tokens_per_image`];
  const tokens = typeof told === "number" && told > 0 ? told : LARGEST.get(architecture);
  return tokens === undefined ? USUAL : tokens + AROUND;
}
