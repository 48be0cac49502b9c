/** `inspect`: what the optimizer learned and decided, and a person's word on it. */
import type { OptimizerStore } from "../storage/store.js";
import { EXIT, type Surroundings, usageError } from "./command.js";
import { confirmed } from "./confirm.js";
import { readFlags, readNumber, refuseMore } from "./flags.js";
import { planChange, VERBS, type Verb } from "./inspect/changes.js";
import { documentOf } from "./inspect/find.js";
import { carryOut, lastStep, undo } from "./inspect/journal.js";
import { type Kind, listing } from "./inspect/listing.js";
import { widestFor } from "./inspect/printed.js";
import { templateDetail } from "./inspect/templateDetail.js";
import { templateReport } from "./inspect/templateReport.js";
import { nearest } from "./nearest.js";
import { readRequests, sinceDays } from "./readRequests.js";
import { STORE_FLAGS, STORE_HELP, withStore } from "./storeAt.js";
import { styleFor } from "./style.js";

export const usage: string = `inspect templates|rules|profiles|requests|decisions [options]
inspect template ID [options]
inspect forget template|rule|window|ceiling NAME
inspect pin|unpin template|window|ceiling NAME
inspect set template|window|ceiling NAME TOKENS
inspect undo

Shows what is in the store: recurring prompts (templates), what is tried for them (rules), what is known of each loaded
model (profiles), calls (requests) and what was decided about them (decisions). With an ID, one template in depth: its
windows, tokens, latencies, which calls matched and how well. An ID may be cut short.

Where you know better: the NAME of a template or rule is its ID, that of a window or ceiling the model. A pinned
template is never forgotten; its TOKENS are what is kept for its replies. A pinned window is the one that is loaded, and
beyond a ceiling none is. A program that runs takes it over within a second, for its next load. You are asked first; the
last 20 changes can be undone, the last one first.

  --where TEXT    a condition: COLUMN, one of = != < <= > >= ~ (contains), VALUE; "-" is what is not known; repeatable
  --sort COLUMN   in this order; "-COLUMN" the largest first
  --limit N       rows, default 20; 0 for all
  --days N        only the last so many days
  --json          the records as JSON
  --yes           change without asking; needed where there is no terminal
${STORE_HELP}

Conditions compare times in milliseconds, so "total>5000" is more than 5 s, and moments (UTC) as they are written:
"at>2026-11-21 12:30". Columns that can be named beside those shown: templates digest, system; requests id, source,
owner, tags, server; decisions template, cut, shifted, ms.

Examples:
  langchain-ollama-optimizer inspect templates
  langchain-ollama-optimizer inspect template task-3f
  langchain-ollama-optimizer inspect requests --where "total>5000" --where model~qwen --sort -total
  langchain-ollama-optimizer inspect decisions --where reloaded=yes --days 1 --json
  langchain-ollama-optimizer inspect set ceiling qwen3:8b 16384
  langchain-ollama-optimizer inspect forget template task-3f --yes
`;

const KINDS: readonly Kind[] = ["templates", "rules", "profiles", "requests", "decisions"];

/** @throws OptimizerError `ARGUMENT_INVALID`, `NOT_FOUND` and what opening the store throws */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { values, positionals } = readFlags(args, {
    ...STORE_FLAGS,
    where: { type: "string", multiple: true },
    sort: { type: "string" },
    limit: { type: "string", default: "20" },
    days: { type: "string" },
    json: { type: "boolean" },
    yes: { type: "boolean" },
  });
  const [word = "", ...names] = positionals;
  const verb = VERBS.find((each) => each === word);
  if (verb || word === "undo") return change(verb ?? "undo", names, values, surroundings);
  const kind = kindOf(word);
  const limit = readNumber("--limit", values.limit, { least: 0, most: 1e9, isWhole: true });
  const days =
    values.days === undefined ? undefined : readNumber("--days", values.days, { least: 0, most: 36_500 });
  const options = {
    where: values.where ?? [],
    sort: values.sort,
    limit: limit === 0 ? Number.POSITIVE_INFINITY : limit,
    since: sinceDays(days, Date.now()),
  };
  const isJson = values.json ?? false;
  await withStore(values, surroundings, async (store, place) => {
    if (kind === "templates" && names.length === 1) {
      await showTemplate(store, names[0]!, options.since, isJson, surroundings);
      return;
    }
    refuseMore(names, "Only a template is shown by itself; use --where.");
    const { records, text } = await listing(kind, store, { ...options, place }, surroundings);
    surroundings.out.write(isJson ? `${JSON.stringify(records, null, 2)}\n` : text);
  });
  return EXIT.ok;
}

/** Changes the store by a person's word. */
async function change(
  verb: Verb | "undo",
  words: readonly string[],
  values: Parameters<typeof withStore>[0] & { readonly yes?: boolean; readonly json?: boolean },
  surroundings: Surroundings,
): Promise<number> {
  const { out } = surroundings;
  return withStore(values, surroundings, async (store) => {
    if (verb === "undo") refuseMore(words, "Only a template is shown by itself; use --where.");
    const plan = verb === "undo" ? null : planChange(store, verb, words);
    const text = plan?.text ?? `undo: ${lastStep(store).text}`;
    const isWanted = values.yes || (await confirmed(text, surroundings));
    if (isWanted) await (plan ? carryOut(store, plan, new Date()) : undo(store));
    if (values.json) out.write(`${JSON.stringify({ change: text, done: isWanted })}\n`);
    else if (!isWanted) out.write("Nothing was changed.\n");
    else out.write(`Done: ${text}.${plan ? " `inspect undo` takes it back." : ""}\n`);
    return EXIT.ok;
  });
}

function kindOf(word: string): Kind {
  const kind = KINDS.find((each) => each === word || each === `${word}s`);
  if (kind) return kind;
  const meant = nearest(word, [...KINDS, ...VERBS, "undo"]);
  throw usageError(
    word === "" ? "Nothing was named to inspect" : `"${word}" cannot be inspected`,
    `${meant ? `Did you mean ${meant}? ` : ""}Name one of ${KINDS.join(", ")}, or ${VERBS.join(", ")}, undo.`,
  );
}

async function showTemplate(
  store: OptimizerStore,
  id: string,
  since: string | undefined,
  isJson: boolean,
  surroundings: Surroundings,
): Promise<void> {
  const template = documentOf(store, "templates", id);
  const query = { templateId: template.id, newestFirst: true, since };
  const detail = await templateDetail(
    template,
    { templates: store.list("templates"), rules: store.list("rules") },
    readRequests(store, query, surroundings),
  );
  const { out, environment } = surroundings;
  out.write(
    isJson
      ? `${JSON.stringify(detail, null, 2)}\n`
      : templateReport(detail, styleFor(out, environment), widestFor(out)),
  );
}
