/** What a person changes: what it will do, in words, and the operations that do it. Reads the store, changes nothing. */
import { OptimizerError } from "../../errors.js";
import { rungBelow } from "../../optimizer/ladder.js";
import type { ProfileRecord } from "../../records.js";
import type { DocumentKind, OptimizerStore } from "../../storage/store.js";
import { usageError } from "../command.js";
import { readNumber, refuseMore } from "../flags.js";
import { nearest } from "../nearest.js";
import { count, counted } from "../terminal.js";
import { documentOf, profilesOf } from "./find.js";

export type Operation =
  | { readonly type: "remove"; readonly kind: DocumentKind; readonly id: string }
  | {
      readonly type: "set";
      readonly kind: DocumentKind;
      readonly id: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };

export interface Plan {
  /** For the question and for the history: "forget the template task-1". */
  readonly text: string;
  readonly operations: readonly Operation[];
}

type Rule = (store: OptimizerStore, name: string, tokens: string | undefined) => Plan;

export const VERBS = ["forget", "pin", "unpin", "set"] as const;
export type Verb = (typeof VERBS)[number];

const LARGEST = 2 ** 30;
/** Below this a window holds nothing: the smallest that decisions choose among. */
const LEAST_WINDOW = 256;

const RULES: Readonly<Record<Verb, Readonly<Record<string, Rule>>>> = {
  forget: {
    template: forgetTemplate,
    rule: (store, id) => {
      const rule = documentOf(store, "rules", id);
      return {
        text: `forget the rule ${rule.id}`,
        operations: [{ type: "remove", kind: "rules", id: rule.id }],
      };
    },
    window: ofModel(
      (name) => `forget the window of ${name}: its pin, and the needs that it was chosen by`,
      () => ({ pinnedNumCtx: null, recentNeeds: [], largestNeeds: [] }),
    ),
    ceiling: ofModel(
      (name) => `forget the ceilings of ${name}: larger windows are tried again`,
      () => ({ ceilings: [], maximumNumCtx: null }),
    ),
  },
  pin: {
    template: pinTemplate,
    window: ofModel((name, fields) => `pin the window of ${name} to ${tokensOf(fields)}`, presentWindow),
    ceiling: ofModel(
      (name, fields) => `pin the ceiling of ${name}: never a window beyond ${tokensOf(fields)}`,
      presentCeiling,
    ),
  },
  unpin: {
    template: (store, id) => {
      const template = documentOf(store, "templates", id);
      const fields = { isPinned: false, pinnedReserve: null };
      return {
        text: `unpin the template ${template.id}, and learn its reserve again`,
        operations: [{ type: "set", kind: "templates", id: template.id, fields }],
      };
    },
    window: ofModel(
      (name) => `unpin the window of ${name}`,
      () => ({ pinnedNumCtx: null }),
    ),
    ceiling: ofModel(
      (name) => `unpin the ceiling of ${name}`,
      () => ({ maximumNumCtx: null }),
    ),
  },
  set: {
    template: (store, id, tokens) => {
      const template = documentOf(store, "templates", id);
      const fields = { pinnedReserve: readTokens(tokens, 1, LARGEST) };
      return {
        text: `keep ${tokensOf(fields)} for the replies of the template ${template.id}`,
        operations: [{ type: "set", kind: "templates", id: template.id, fields }],
      };
    },
    window: ofModel(
      (name, fields) => `set the window of ${name} to ${tokensOf(fields)}`,
      (profile, tokens) => ({ pinnedNumCtx: readWindow(tokens, profile) }),
    ),
    ceiling: ofModel(
      (name, fields) => `load no window of ${name} beyond ${tokensOf(fields)}`,
      (profile, tokens) => ({ maximumNumCtx: readWindow(tokens, profile) }),
    ),
  },
};

/**
 * @param words what it is about, its name, and for `set` the tokens
 * @throws OptimizerError `ARGUMENT_INVALID`, `NOT_FOUND`, `MODEL_NOT_FOUND`, `NOTHING_TO_PIN`
 */
export function planChange(store: OptimizerStore, verb: Verb, words: readonly string[]): Plan {
  const [noun = "", name, tokens, ...others] = words;
  const rules = RULES[verb];
  const rule = Object.hasOwn(rules, noun) ? rules[noun] : undefined;
  const nouns = Object.keys(rules);
  if (!rule) {
    const meant = nearest(noun, nouns);
    throw usageError(
      noun === "" ? `Nothing was named to ${verb}` : `"${noun}" is nothing to ${verb}`,
      `${meant ? `Did you mean ${meant}? ` : ""}Name one of ${nouns.join(", ")}.`,
    );
  }
  // An empty name, as of a variable that a script lacks, begins every ID.
  if (!name) {
    throw usageError(
      `No ${noun} was named`,
      isOfModel(noun) ? "Name a model." : `Give its ID of \`inspect ${noun}s\`.`,
    );
  }
  if (others.length > 0 || (verb !== "set" && tokens !== undefined)) {
    refuseMore([tokens!, ...others], "`inspect --help` shows how it is called.");
  }
  return rule(store, name, tokens);
}

const isOfModel = (noun: string): boolean => noun === "window" || noun === "ceiling";

/** A change to every profile of a model. */
function ofModel(
  text: (name: string, fields: Readonly<Record<string, unknown>>) => string,
  fieldsOf: (profile: ProfileRecord, tokens: string | undefined) => Readonly<Record<string, unknown>>,
): Rule {
  return (store, name, tokens) => {
    const profiles = profilesOf(store, name);
    const operations = profiles.map((profile) => ({
      type: "set" as const,
      kind: "profiles" as const,
      id: profile.id,
      fields: fieldsOf(profile, tokens),
    }));
    const where = profiles.length > 1 ? ` on ${counted(profiles.length, "server")}` : "";
    return { text: `${text(name, operations[0]!.fields)}${where}`, operations };
  };
}

/** A system prompt goes with the tasks behind it, and each with its rules. */
function forgetTemplate(store: OptimizerStore, id: string): Plan {
  const template = documentOf(store, "templates", id);
  const ids = new Set([template.id]);
  for (const task of store.list("templates")) if (task.systemId === template.id) ids.add(task.id);
  const rules = [...store.list("rules")].filter(({ templateId }) => ids.has(templateId));
  const tasks = ids.size > 1 ? ` and ${counted(ids.size - 1, "task")} behind it` : "";
  return {
    text: `forget the template ${template.id}${tasks}`,
    operations: [
      ...[...ids].map((each) => ({ type: "remove" as const, kind: "templates" as const, id: each })),
      ...rules.map((rule) => ({ type: "remove" as const, kind: "rules" as const, id: rule.id })),
    ],
  };
}

/** A task goes when its system prompt does: that one is pinned too. */
function pinTemplate(store: OptimizerStore, id: string): Plan {
  const template = documentOf(store, "templates", id);
  const ids = [template.id, ...(template.systemId ? [template.systemId] : [])];
  return {
    text: `pin the template ${ids.join(" and its system prompt ")}: never forgotten`,
    operations: ids
      .filter((each) => store.get("templates", each))
      .map((each) => ({ type: "set", kind: "templates", id: each, fields: { isPinned: true } })),
  };
}

function presentWindow({ lastOptions, models, id }: ProfileRecord): Readonly<Record<string, unknown>> {
  const { num_ctx: window } = lastOptions ?? {};
  if (window) return { pinnedNumCtx: window };
  throw nothingToPin(`No window of ${models?.[0] ?? id} is known`, "window");
}

function presentCeiling({ ceilings = [], models, id }: ProfileRecord): Readonly<Record<string, unknown>> {
  const largest = ceilings.length > 0 ? rungBelow(Math.min(...ceilings.map(({ numCtx }) => numCtx))) : 0;
  if (largest > 0) return { maximumNumCtx: largest };
  throw nothingToPin(`${models?.[0] ?? id} never ran out of memory`, "ceiling");
}

function nothingToPin(message: string, noun: string): OptimizerError {
  return new OptimizerError({
    code: "NOTHING_TO_PIN",
    message,
    remedy: `Say which: \`inspect set ${noun} MODEL TOKENS\`.`,
  });
}

function readTokens(text: string | undefined, least: number, most: number): number {
  if (text === undefined) throw usageError("No number of tokens was given", "Give one behind the name.");
  return readNumber("TOKENS", text, { least, most, isWhole: true });
}

function readWindow(text: string | undefined, { trainedNumCtx, models, id }: ProfileRecord): number {
  const tokens = Number(text);
  if (trainedNumCtx && Number.isInteger(tokens) && tokens > trainedNumCtx) {
    throw usageError(
      `${count(tokens)} tokens are beyond what ${models?.[0] ?? id} was trained for: ${count(trainedNumCtx)}`,
      `Give a whole number from ${LEAST_WINDOW} to ${trainedNumCtx}.`,
    );
  }
  return readTokens(text, LEAST_WINDOW, trainedNumCtx ?? LARGEST);
}

function tokensOf(fields: Readonly<Record<string, unknown>>): string {
  return `${count(Object.values(fields).find((value) => typeof value === "number") ?? 0)} tokens`;
}
