/**
 * How byte-level BPE vocabularies split text before merging: what llama.cpp does for each
 * `tokenizer.ggml.pre` (`src/llama-vocab.cpp`, build 10760). Several steps apply one after the other: each splits
 * the pieces of the one before into matches and what lies between them.
 *
 * `\s` stands for Unicode white space (llama.cpp and JavaScript disagree on U+0085 and U+FEFF). llama.cpp knows
 * letters, not their case, beyond ASCII; so do the patterns here.
 */

/** A pattern, or `digitGroups`: runs of digits in threes from the right, with what stands before the first. */
export type SplitStep = string | "digitGroups";

/** What `.pre` implies. */
export interface PreTokenizer {
  readonly steps: readonly SplitStep[];
  /** A piece that is a token is that token, whatever its merges would give. */
  readonly ignoreMerges?: boolean;
  /** Merges run on characters of raw UTF-8 with spaces as U+2581, not on bytes. */
  readonly characters?: boolean;
}

const contraction = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const tail = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const words = (digits: string, symbols = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*", rest = tail): string =>
  `${contraction}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}|${symbols}|${rest}`;
const qwen2 = words("\\p{N}");
const llama3 = words("\\p{N}{1,3}");
const cased = (letters: string, digits: string, end: string): string => {
  const upper = `(?:(?![a-z])${letters})`;
  const lower = `(?:(?![A-Z])${letters})`;
  return [
    `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${end}`,
    `[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${end}`,
    digits,
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*",
    tail,
  ].join("|");
};
const caseless = `[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+${contraction}?`;
const gpt4o = cased("\\p{L}", "\\p{N}{1,3}", `${contraction}?`);
const deepseekDigits = "\\p{N}{1,3}";
const deepseekCjk = "[一-龥぀-ゟ゠-ヿ]+";
const asciiPunctuation = "[!\"#$%&'()*+,\\-.\\/:;<=>?@\\[\\\\\\]^_`{|}~]";
const deepseek3 = `${asciiPunctuation}[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${tail}`;
const bloom = " ?[^(\\s|.,!?…。，、।۔،)]+";
const lines = "[^\\n]+|[\\n]+";
const afmoeScripts = "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+";
const deepseekLetters =
  "A-Za-z\\u{b5}\\u{c0}-\\u{d6}\\u{d8}-\\u{f6}\\u{f8}-\\u{1ba}\\u{1bc}-\\u{1bf}\\u{1c4}-\\u{293}\\u{295}" +
  "-\\u{2af}\\u{370}-\\u{373}\\u{376}\\u{377}\\u{37b}-\\u{37d}\\u{37f}\\u{386}\\u{388}-\\u{38a}\\u{38c}" +
  "\\u{38e}-\\u{3a1}\\u{3a3}-\\u{3f5}\\u{3f7}-\\u{481}\\u{48a}-\\u{52f}\\u{531}-\\u{556}\\u{10a0}-\\u{10c5}" +
  "\\u{13a0}-\\u{13f5}\\u{13f8}-\\u{13fd}\\u{1c90}-\\u{1cba}\\u{1cbd}-\\u{1cbf}\\u{1d00}-\\u{1d2b}\\u{1d6b}" +
  "-\\u{1d77}\\u{1d79}-\\u{1d9a}\\u{1e00}-\\u{1f15}\\u{1f18}-\\u{1f1d}\\u{1f20}-\\u{1f45}\\u{1f48}-" +
  "\\u{1f4d}\\u{1f50}-\\u{1f57}\\u{1f59}\\u{1f5b}\\u{1f5d}\\u{1f5f}-\\u{1f7d}\\u{1f80}-\\u{1fb4}\\u{1fb6}" +
  "-\\u{1fbc}\\u{1fbe}\\u{1fc2}-\\u{1fc4}\\u{1fc6}-\\u{1fcc}\\u{1fd0}-\\u{1fd3}\\u{1fd6}-\\u{1fdb}\\u{1fe0}" +
  "-\\u{1fec}\\u{1ff2}-\\u{1ff4}\\u{1ff6}-\\u{1ffc}\\u{2102}\\u{2107}\\u{210a}-\\u{2113}\\u{2115}\\u{2119}" +
  "-\\u{211d}\\u{2124}\\u{2126}\\u{2128}\\u{212a}-\\u{212d}\\u{212f}-\\u{2134}\\u{2139}\\u{213c}-\\u{213f}" +
  "\\u{2145}-\\u{2149}\\u{214e}\\u{2183}\\u{2184}\\u{2c00}-\\u{2c7b}\\u{2c7e}-\\u{2ce4}\\u{2ceb}-\\u{2cee}" +
  "\\u{2cf2}\\u{2cf3}\\u{a640}-\\u{a66d}\\u{a680}-\\u{a69b}\\u{a722}-\\u{a76f}\\u{a771}-\\u{a787}\\u{a78b}" +
  "-\\u{a78e}\\u{ab70}-\\u{abbf}\\u{fb00}-\\u{fb06}\\u{fb13}-\\u{fb17}\\u{ff21}-\\u{ff3a}\\u{ff41}-" +
  "\\u{ff5a}\\u{10400}-\\u{1044f}\\u{104b0}-\\u{104d3}\\u{104d8}-\\u{104fb}\\u{10c80}-\\u{10cb2}\\u{10cc0}" +
  "-\\u{10cf2}\\u{118a0}-\\u{118df}\\u{1e900}-\\u{1e943}";

/** `.pre` names that share a pre-tokenizer. */
const families: readonly (readonly [names: string, pre: PreTokenizer])[] = [
  [
    "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2",
    { steps: [llama3], ignoreMerges: true },
  ],
  ["dbrx smaug-bpe glm4 chatglm-bpe", { steps: [llama3] }],
  ["qwen2 deepseek-r1-qwen kormo megrez stablelm2 hunyuan solar-open grok-2", { steps: [qwen2] }],
  [
    "qwen35",
    {
      steps: [
        `${contraction}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${tail}`,
      ],
    },
  ],
  ["gpt-2 phi-2 gigachat a.x-4.0 mellum mpt olmo jais trillion granite-docling exaone4", { steps: [gpt2] }],
  ["smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", { steps: ["\\p{N}", gpt2] }],
  ["falcon", { steps: ["[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2, "[0-9][0-9][0-9]"] }],
  ["default", { steps: ["[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2, "\\p{N}+", "[0-9][0-9][0-9]"] }],
  ["tekken", { steps: [cased("\\p{L}", "\\p{N}", "")], ignoreMerges: true }],
  ["gpt-4o llama4 kanana2 talkie minimax-m2", { steps: [gpt4o] }],
  [
    "tiny_aya cohere2moe",
    {
      steps: ["digitGroups", `${caseless}|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${tail}`],
    },
  ],
  [
    "youtu",
    {
      steps: [
        "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+",
        `${caseless}|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${tail}`,
      ],
      ignoreMerges: true,
    },
  ],
  ["deepseek-v3 hunyuan-dense joyai-llm", { steps: [deepseekDigits, deepseekCjk, deepseek3] }],
  ["afmoe", { steps: ["digitGroups", afmoeScripts, deepseek3] }],
  [
    "deepseek-llm",
    {
      steps: [
        "[\\r\\n]",
        `\\s?[${deepseekLetters}]+`,
        "\\s?[!-\\/:-~！-／：-～‘-‟　-。]+",
        "\\s+$",
        "[一-龥ࠀ-一가-퟿]+",
        "\\p{N}+",
      ],
    },
  ],
  ["deepseek-coder", { steps: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", "\\p{N}"] }],
  ["poro-chat bloom gpt3-finnish", { steps: [bloom] }],
  ["viking", { steps: [bloom, "\\p{N}"] }],
  [
    "jais-2",
    {
      steps: [
        words(
          "\\p{N}{1,3}",
          undefined,
          `\\s*[\\r\\n]+|${[512, 256, 128, 64, 32, 16, 8, 4].map((n) => `\\s{${n}}(?!\\S)`).join("|")}|\\s{1,2}(?!\\S)|\\s{1}`,
        ),
      ],
    },
  ],
  [
    "bailingmoe bailingmoe2 llada-moe",
    { steps: [words("\\p{N}", undefined, "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+")] },
  ],
  ["seed-coder", { steps: [words("\\p{N}", " ?[^\\s\\p{L}\\p{N}\\r\\n]+")] }],
  ["laguna", { steps: [lines, qwen2] }],
  [
    "exaone-moe",
    {
      steps: [
        `${contraction}|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+`,
      ],
    },
  ],
  [
    "minicpm5",
    {
      steps: ["\\p{N}{1,3}", words("\\p{N}+")],
      ignoreMerges: true,
    },
  ],
  ["gemma4", { steps: [lines], characters: true }],
  ["sarvam-moe", { steps: [lines], characters: true }],
];

const byName: ReadonlyMap<string, PreTokenizer> = new Map(
  families.flatMap(([names, pre]) => names.split(" ").map((name) => [name, pre] as const)),
);

/**
 * What llama.cpp does for a `tokenizer.ggml.pre`; null when it is none that this package can express
 * (a model without one is `default`).
 *
 * @example preTokenizer("qwen2")?.steps.length // 1
 */
export function preTokenizer(name: string): PreTokenizer | null {
  return byName.get(name) ?? null;
}

/** A step's expression: `\s` as Unicode white space, sticky flags left to the caller. */
export function stepExpression(step: string, flags: string): RegExp {
  return new RegExp(step.replaceAll("\\s", "\\p{White_Space}").replaceAll("\\S", "\\P{White_Space}"), flags);
}
