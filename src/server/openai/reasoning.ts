/** Reasoning effort as Ollama's `think`. */
import type { ServerContext } from "../options.js";
import { type Fields, unknownValue } from "./fields.js";

/**
 * Ollama knows three levels. "max" of newer versions is left out: 0.24 refuses it, and those that know it
 * make "high" of it for the models that have levels.
 */
const LEVELS: ReadonlyMap<string, false | "low" | "medium" | "high"> = new Map<
  string,
  false | "low" | "medium" | "high"
>([
  ["none", false],
  ["minimal", "low"],
  ["low", "low"],
  ["medium", "medium"],
  ["high", "high"],
  ["xhigh", "high"],
  ["max", "high"],
]);

/**
 * @returns undefined where nothing is asked for, and for models that do not think: OpenAI's clients send one
 *   effort to whatever model they are pointed at
 */
export async function thinkOf(
  context: ServerContext,
  model: string,
  settings: Fields,
  name: string,
): Promise<boolean | string | undefined> {
  const effort = settings.text(name);
  if (effort === undefined) return undefined;
  const think = LEVELS.get(effort);
  if (think === undefined) throw unknownValue(effort, [...LEVELS.keys()], settings.at(name));
  const { engine, origin } = context;
  const facts =
    engine.modelFacts(origin, model) ?? (await engine.learnModel(context, model).catch(() => null));
  return facts?.capabilities.includes("thinking") ? think : undefined;
}
