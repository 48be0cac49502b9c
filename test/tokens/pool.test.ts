import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Worker } from "node:worker_threads";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { TokenizerPool } from "../../src/tokens/index.js";
import { Tokenizer } from "../../src/tokens/tokenizer.js";
import { showReply, vocabulary } from "./vocabularies.js";

let pool = new TokenizerPool();
beforeEach(() => {
  pool = new TokenizerPool();
});
afterEach(() => pool.close());

const never = (): Promise<Uint8Array[]> => Promise.reject(new Error("fetched"));
const prompt = "<|im_start|>user\nhello hello<|im_end|>\n<|im_start|>assistant\n";

test("a count is remembered by segment: a longer prompt is known once its new message is counted", async () => {
  await pool.load("a", async () => showReply("bytes"));
  expect(pool.countKnown("a", prompt)).toBeNull();
  const count = await pool.count("a", prompt);
  expect(pool.countKnown("a", prompt)).toBe(count);
  const longer = `${prompt}hello<|im_end|>\n`;
  expect(pool.countKnown("a", longer)).toBeNull();
  const longerCount = await pool.count("a", longer);
  expect(pool.countKnown("a", longer)).toBe(longerCount);
  expect(pool.countKnown("a", `${prompt}<|im_end|>`)).toBeNull();
});

test("what is remembered equals a fresh count, whatever came before", async () => {
  await pool.load("a", async () => showReply("bytes"));
  const fresh = new Tokenizer(vocabulary("bytes"));
  const segment = fc.constantFrom(
    "hello",
    " hello",
    "user\n",
    "\n",
    "é🙂\ud800",
    "<|im_start|>",
    "<|im_end|>",
    "<|im_",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(segment, { maxLength: 30 }), async (segments) => {
      const text = segments.join("");
      const count = await pool.count("a", text);
      expect(count).toBe(fresh.count(text));
      expect(pool.countKnown("a", text)).toBe(count);
      expect((await pool.encode("a", text)).length).toBe(count);
    }),
  );
});

test("nothing is known of a digest that was not loaded", async () => {
  expect(pool.isReady("a")).toBe(false);
  expect(pool.countKnown("a", "x")).toBeNull();
  await expect(pool.count("a", "x")).rejects.toMatchObject({ code: "TOKENIZER_MISSING" });
  await expect(pool.encode("a", "x")).rejects.toMatchObject({ code: "TOKENIZER_MISSING" });
});

test("loads of one digest at the same time fetch once", async () => {
  let fetched = 0;
  const fetchShow = async (): Promise<Uint8Array[]> => {
    fetched++;
    return showReply("bytes");
  };
  await Promise.all([pool.load("a", fetchShow), pool.load("a", fetchShow), pool.load("a", fetchShow)]);
  await pool.load("a", fetchShow);
  expect(fetched).toBe(1);
});

test("a tokenizer that cannot be rebuilt is refused with its reason, and not fetched again", async () => {
  const load = pool.load("bert", async () => showReply("bytes", { model: "bert" }));
  await expect(load).rejects.toMatchObject({
    code: "TOKENIZER_UNSUPPORTED",
    message: expect.stringContaining('"bert"'),
  });
  expect(pool.isUnsupported("bert")).toBe(true);
  await expect(pool.load("bert", never)).rejects.toMatchObject({ code: "TOKENIZER_UNSUPPORTED" });
});

test("a fetch that fails is tried again by the next load", async () => {
  await expect(pool.load("a", never)).rejects.toThrow("fetched");
  await pool.load("a", async () => showReply("bytes"));
  expect(pool.isReady("a")).toBe(true);
});

test("a reply that is no JSON fails without quoting it", async () => {
  const load = pool.load("a", async () => [Buffer.from("secret words")]);
  await expect(load).rejects.toMatchObject({
    code: "TOKENIZER_FAILED",
    message: expect.not.stringContaining("secret"),
  });
});

test("at most maxEncoders stay, the least recently used goes", async () => {
  for (const digest of ["a", "b"]) await pool.load(digest, async () => showReply("bytes"));
  await pool.count("a", "hello");
  await pool.load("c", async () => showReply("scores"));
  expect(["a", "b", "c"].filter((digest) => pool.isReady(digest))).toEqual(["a", "c"]);
  expect(await pool.count("a", "hello")).toBe(1);
});

test("texts above a million characters are counted whole and in the worker", async () => {
  await pool.load("a", async () => showReply("bytes"));
  const text = "hello user, hello 🙂\n".repeat(60_000);
  expect(pool.countKnown("a", text)).toBeNull();
  expect(await pool.count("a", text)).toBe(new Tokenizer(vocabulary("bytes")).count(text));
});

test("a short count does not wait for a long one", async () => {
  await pool.load("a", async () => showReply("bytes"));
  const order: string[] = [];
  const long = pool.count("a", "lorem ipsum dolor ".repeat(200_000)).then(() => order.push("long"));
  const short = pool.count("a", "hello").then(() => order.push("short"));
  await Promise.all([long, short]);
  expect(order).toEqual(["short", "long"]);
});

test("an estimate needs no tokenizer", async () => {
  expect(await pool.estimate("hello world")).toBe(2);
});

test("closing rejects what is under way and what comes later", async () => {
  await pool.load("a", async () => showReply("bytes"));
  const isClosed = { code: "TOKENIZER_CLOSED" };
  const counts = ["lorem ipsum ".repeat(10_000), "lorem ipsum ".repeat(100_000)].map((text) =>
    expect(pool.count("a", text)).rejects.toMatchObject(isClosed),
  );
  await pool.close();
  await Promise.all(counts);
  expect(pool.isReady("a")).toBe(false);
  await expect(pool.count("a", "hello")).rejects.toMatchObject(isClosed);
  await expect(pool.load("a", async () => showReply("bytes"))).rejects.toMatchObject(isClosed);
});

test("a script that awaits a count goes on, and one that is done ends", async () => {
  const script = `
    import { TokenizerPool } from "${new URL("../../node_modules/.cache/tokenizer-worker/tokens/index.js", import.meta.url).href}";
    const pool = new TokenizerPool();
    await pool.load("a", async () => [Buffer.from(process.argv[1])]);
    console.log(await pool.count("a", "hello"));`;
  const reply = Buffer.concat(showReply("bytes")).toString();
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", script, reply],
    {
      timeout: 20_000,
    },
  );
  expect(stdout.trim()).toBe("1");
});

test("a reply of /api/show that breaks off is forgotten, and the next one is whole", async () => {
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield showReply("bytes")[0]!;
    throw new Error("connection lost");
  };
  await expect(pool.load("a", async () => broken())).rejects.toThrow("connection lost");
  const reply = showReply("bytes");
  await pool.load("a", async () => reply);
  expect(await pool.count("a", "hello")).toBe(1);
  expect(
    reply.map(({ byteLength }) => byteLength),
    "the caller keeps its buffers",
  ).not.toContain(0);
});

test("a prompt in pieces counts as the joined one, wherever it is cut", async () => {
  await pool.load("a", async () => showReply("bytes"));
  const fresh = new Tokenizer(vocabulary("bytes"));
  const piece = fc.string({ unit: fc.constantFrom(..."<|im_start|>end hel🙂é\n"), maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const count = await pool.count("a", pieces);
      expect(count).toBe(fresh.count(pieces.join("")));
      expect(pool.countKnown("a", pieces)).toBe(count);
    }),
  );
});

test("a long prompt is looked up in slices, and its segments are remembered", async () => {
  await pool.load("a", async () => showReply("bytes"));
  const turn = (index: number): string => `<|im_start|>user\nhello ${"x ".repeat(9_000)}${index}<|im_end|>\n`;
  const long = Array.from({ length: 30 }, (_, index) => turn(index)).join("");
  const posted: string[] = [];
  const count = await pool.count("a", long);
  expect(count).toBe(new Tokenizer(vocabulary("bytes")).count(long));
  const worker = (pool as unknown as { worker: Worker }).worker;
  const post = worker.postMessage.bind(worker);
  worker.postMessage = (message: { type: string }) => {
    posted.push(message.type);
    post(message);
  };
  expect(await pool.count("a", long)).toBe(count);
  expect(posted).toEqual([]);
  expect(await pool.count("a", long + turn(30))).toBeGreaterThan(count);
  expect(posted).toEqual(["count"]);
  expect(pool.countKnown("a", long), "too long to be looked up at once").toBeNull();
});

test("a thread that dies takes its tokenizers along, says so once, and is replaced", async () => {
  const warnings: string[] = [];
  await using own = new TokenizerPool({ logger: { warn: (message) => warnings.push(message) } });
  const dies = async (): Promise<void> => {
    await own.load("a", async () => showReply("bytes"));
    const count = expect(own.count("a", "lorem ipsum ".repeat(200_000))).rejects.toMatchObject({
      code: "TOKENIZER_FAILED",
    });
    await (own as unknown as { worker: Worker }).worker.terminate();
    await count;
    // Its exit is told in an event of its own.
    await vi.waitFor(() => expect(own.isReady("a")).toBe(false), 10_000);
  };
  await dies();
  expect(own.isReady("a")).toBe(false);
  expect(warnings).toHaveLength(1);
  await own.load("a", async () => showReply("bytes"));
  expect(await own.count("a", "hello")).toBe(1);
  await dies();
  await dies();
  // Three times is enough: it would go on like that.
  await expect(own.load("a", async () => showReply("bytes"))).rejects.toMatchObject({
    code: "TOKENIZER_FAILED",
  });
});

describe("with a folder", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tokens-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const withPool = async <T>(work: (pool: TokenizerPool) => Promise<T>): Promise<T> => {
    await using own = new TokenizerPool({ folder });
    return await work(own);
  };
  const fileOf = async (): Promise<string> => {
    const names = await readdir(join(folder, "tokenizers"));
    expect(names).toEqual(["sha256-a.bin"]);
    return join(folder, "tokenizers", names[0] as string);
  };

  test.each(["bytes", "scores"] as const)(
    "a %s vocabulary is fetched once, for the user alone",
    async (kind) => {
      const count = await withPool(async (own) => {
        await own.load("sha256:a", async () => showReply(kind));
        return own.count("sha256:a", prompt);
      });
      expect((await stat(await fileOf())).mode & 0o777).toBe(0o600);
      await withPool(async (own) => {
        await own.load("sha256:a", never);
        expect(await own.count("sha256:a", prompt)).toBe(count);
      });
    },
  );

  test("a damaged file is fetched anew and replaced", async () => {
    await withPool((own) => own.load("sha256:a", async () => showReply("bytes")));
    const file = await fileOf();
    await writeFile(file, (await readFile(file)).subarray(0, 1_000));
    await withPool((own) => expect(own.load("sha256:a", never)).rejects.toThrow("fetched"));
    await withPool((own) => own.load("sha256:a", async () => showReply("bytes")));
    await withPool((own) => own.load("sha256:a", never));
  });

  test("a folder that cannot be written costs a fetch, nothing else", async () => {
    await writeFile(join(folder, "tokenizers"), "a file in the way");
    await withPool(async (own) => {
      await own.load("sha256:a", async () => showReply("bytes"));
      expect(await own.count("sha256:a", "hello")).toBe(1);
    });
  });
});
