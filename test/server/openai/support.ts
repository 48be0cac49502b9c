import type { ServerAppOptions } from "../../../src/server/index.js";
import {
  type OllamaServerOptions,
  type ReceivedRequest,
  type Script,
  type ScriptedCall,
  type ScriptedReply,
  scriptedEngine,
} from "../../../src/testing/index.js";
import { type Pair, pair } from "../support.js";

export { user, words } from "../support.js";

/** A server of this package before a scripted Ollama with a model of each kind. */
export async function openAiPair(
  reply: Script["reply"] = agent,
  behind: OllamaServerOptions = {},
  options: Partial<ServerAppOptions> = {},
): Promise<Pair> {
  return pair(
    {
      engine: scriptedEngine({ reply }),
      models: [
        { name: "tiny", trainedNumCtx: 32_768 },
        { name: "thinker", capabilities: ["completion", "tools", "thinking"] },
        { name: "inserter", capabilities: ["completion", "insert"] },
        { name: "viewer", capabilities: ["completion", "vision"] },
        { name: "vectors", capabilities: ["embedding"], trainedNumCtx: 8_192 },
      ],
      ...behind,
    },
    options,
  );
}

/** Calls the first tool for each word of the user that is a city, then says what the tools said. */
export function agent({ messages, tools, format }: ScriptedCall): ScriptedReply {
  const last = messages.at(-1)!;
  if (last.role === "tool") {
    const results = messages.filter(({ role }) => role === "tool").map(({ content }) => content);
    return { content: `The tools say: ${results.join(", ")}` };
  }
  if (format) return {};
  const name = (tools[0] as { function: { name: string } } | undefined)?.function.name;
  const cities = last.content?.match(/Paris|Rome/g) ?? [];
  if (!name || cities.length === 0) return { content: "Hello there" };
  return { toolCalls: cities.map((city) => ({ name, arguments: { city } })) };
}

export const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
} as const;

/** What reached Ollama's generating routes, without probes. */
export function calls(requests: readonly ReceivedRequest[]): readonly Record<string, unknown>[] {
  return requests
    .filter(({ path }) => path === "/api/chat" || path === "/api/generate")
    .map(({ body }) => body as Record<string, unknown>)
    .filter((body) => !body._debug_render_only);
}

export interface Chunk {
  readonly id: string;
  readonly choices: readonly {
    readonly delta: Record<string, unknown>;
    readonly text?: string;
    readonly finish_reason: string | null;
  }[];
  readonly usage?: Record<string, unknown> | null;
}

/** The `data` of a stream of events, in order; `[DONE]` stays text. */
export async function eventsOf<T = Chunk>(reply: Response): Promise<readonly (T | "[DONE]")[]> {
  const blocks = (await reply.text()).split("\n\n");
  return blocks
    .filter((block) => block !== "")
    .map((block) => block.replace(/^event: .*\n/, "").replace(/^data: /, ""))
    .map((data) => (data === "[DONE]" ? data : (JSON.parse(data) as T)));
}

export async function json<T = Record<string, unknown>>(reply: Response): Promise<T> {
  return (await reply.json()) as T;
}
