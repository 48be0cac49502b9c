/** What Ollama's own log tells that its API does not: settings, default window, flash attention, who calls. */
import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Since the server's last start. */
export interface LogFacts {
  /** Port that it listens at; null when its start is not in what was read. */
  readonly port: number | null;
  /** `OLLAMA_*` as the server was started with. */
  readonly settings: Readonly<Record<string, string>>;
  /** Window of calls that set none, as chosen by GPU memory. */
  readonly defaultNumCtx: number | null;
  /** Of the last load: whether flash attention was on, the cache's type. */
  readonly flashAttention: boolean | null;
  readonly cacheType: string | null;
  /** Windows of all loads that did not fail, in order; the weights' digest where it is told. */
  readonly loads: readonly { readonly blob: string | null; readonly numCtx: number }[];
  readonly failedLoads: number;
  /** Why the last load that ended failed; null when it did not. */
  readonly lastFailure: string | null;
  /** Calls of the OpenAI and Anthropic surfaces, which cannot set a window. */
  readonly compatibleCalls: number;
  /** Prompts that were cut (told up to 0.29). */
  readonly cuts: number;
}

/** The first line of a start, and bytes that hold all of its lines. */
const START = 'msg="server config"';
const START_BYTES = 2 ** 16;
/** Some ten thousand calls. */
const READ_BYTES = 4 * 2 ** 20;
const JOURNAL_LINES = "20000";
const JOURNAL_MS = 3_000;

/**
 * Reads a log.
 *
 * @param text lines of `ollama serve`
 */
export function readLog(text: string): LogFacts {
  const start = text.lastIndexOf(START);
  const recent = start < 0 ? text : text.slice(start);
  const number = (pattern: RegExp): number | null => {
    const found = [...recent.matchAll(pattern)].at(-1)?.[1];
    return found === undefined ? null : Number(found);
  };
  const word = (pattern: RegExp): string | null => [...recent.matchAll(pattern)].at(-1)?.[1] ?? null;
  const settings = /env="map\[([^\n]*)\]"/.exec(recent)?.[1] ?? "";
  // Set by the user it is told by the context, else by what was found out.
  const flash = word(
    /(?:Flash Attention (?:was auto, set to )?|llama_context: flash_attn += )(enabled|disabled)/g,
  );
  return {
    port: number(/msg="Listening on \S*:(\d+) /g),
    settings: Object.fromEntries(
      [...settings.matchAll(/(OLLAMA_[A-Z_]+):(\S*)/g)].map(([, name, value]) => [name!, value!]),
    ),
    defaultNumCtx: number(/default_num_ctx=(\d+)/g),
    flashAttention: flash === null ? null : flash === "enabled",
    cacheType: word(/llama_kv_cache: size = .* K \((\w+)\)/g),
    ...loadsIn(recent),
    compatibleCalls: [...recent.matchAll(/^\[GIN\].*"\/v1\/(?!models)/gm)].length,
    cuts: [...recent.matchAll(/msg="truncating input prompt"/g)].length,
  };
}

/**
 * 0.30 and later start a program for each load; before, the request has the window times the parallel calls, and the
 * file is named in a line before it.
 */
function loadsIn(text: string): Pick<LogFacts, "loads" | "failedLoads" | "lastFailure"> {
  const pattern =
    /loaded meta data [^\n]*sha256-([0-9a-f]{64})|msg="starting llama-server" cmd="[^\n]*?sha256-([0-9a-f]{64})[^\n]*? -c (\d+) -np (\d+)|Operation:commit [^\n]*?Parallel:(\d+) [^\n]*?KvSize:(\d+)|msg="Load failed" [^\n]*? error="?([^\n]*?)"?$|msg="llama[ -](?:runner|server) (started) in /gm;
  const loads: LogFacts["loads"][number][] = [];
  let failedLoads = 0;
  let lastFailure: string | null = null;
  let named: string | null = null;
  let isUnderWay = false;
  for (const [, file, blob, window, slots, parallel, cells, failure, started] of text.matchAll(pattern)) {
    if (file !== undefined) named = file;
    else if (started !== undefined) {
      isUnderWay = false;
      lastFailure = null;
    } else if (failure !== undefined) {
      if (isUnderWay) loads.pop();
      isUnderWay = false;
      failedLoads++;
      lastFailure = failure.split("\\n").at(-1)!;
    } else {
      const numCtx = Number(window ?? cells) / Number(slots ?? parallel);
      loads.push({ blob: blob ?? named, numCtx });
      isUnderWay = true;
    }
  }
  return { loads, failedLoads, lastFailure };
}

/** Where logs lie: https://docs.ollama.com/troubleshooting. */
export interface LogPlace {
  /** A file that the user named. */
  readonly file: string | undefined;
  readonly platform: NodeJS.Platform;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The log of the server that runs here; null where there is none to be read.
 *
 * @throws what the file system says of a file that the user named
 */
export async function findLog({ file, platform, environment }: LogPlace): Promise<string | null> {
  if (file !== undefined) return endOf(file);
  if (platform === "linux") return journal();
  const place =
    platform === "win32"
      ? join(environment.LOCALAPPDATA ?? "", "Ollama", "server.log")
      : join(homedir(), ".ollama", "logs", "server.log");
  return endOf(place).catch(() => null);
}

/** The end of a log; where the last start is further up, its beginning too, which in most logs is that start. */
async function endOf(file: string): Promise<string> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const read = async (length: number, from: number): Promise<string> => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, from);
      return buffer.toString("utf8", 0, bytesRead);
    };
    const length = Math.min(size, READ_BYTES);
    const end = await read(length, size - length);
    if (length === size || end.includes(START)) return end;
    return `${await read(Math.min(START_BYTES, size - length), 0)}\n${end}`;
  } finally {
    await handle.close();
  }
}

/** Not every Linux has systemd, and not every user may read its journal. */
async function journal(): Promise<string | null> {
  const args = ["-u", "ollama", "-o", "cat", "-n", JOURNAL_LINES, "--no-pager"];
  const options = { timeout: JOURNAL_MS, maxBuffer: 4 * READ_BYTES };
  return promisify(execFile)("journalctl", args, options).then(
    ({ stdout }) => stdout || null,
    () => null,
  );
}
