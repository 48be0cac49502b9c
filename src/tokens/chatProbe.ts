import { type ChatMessage, type Field, type FieldName, fieldsOf, hasThought } from "./chatMessage.js";
import {
  type JsonForm,
  jsonForms,
  type TextForm,
  textForms,
  writeInSlices,
  writeJson,
  writeText,
} from "./textForms.js";

/** A place of a rendered prompt where a field of a message stands. */
export interface Slot {
  readonly message: number;
  readonly name: FieldName;
  readonly call: number;
  readonly form: TextForm | JsonForm;
}

/** A rendered prompt taken apart: literal text and slots in turns, beginning and ending with text. */
export interface Anatomy {
  readonly literals: readonly string[];
  readonly slots: readonly Slot[];
}

/** Around marker texts, so that trimming and escaping show: white space that ASCII trims, that Unicode trims, "<é". */
const BEFORE = " \n\t\u00a0";
const AFTER = "<é\u00a0\t\n ";
/** In front of an answer. Two, since templates go by the first or by the last. */
const THOUGHT = "<think>\nx\n</think>\ny\n</think>\n\n";
const letters: Readonly<Record<FieldName | "answer", string>> = {
  answer: "w",
  content: "c",
  thinking: "t",
  tool_name: "n",
  tool_call_id: "r",
  name: "f",
  id: "i",
  arguments: "a",
};
const names = new Map(
  Object.entries(letters).map(([name, letter]) => [letter, name as keyof typeof letters]),
);
const MARKER = /Qz(\d{4})([a-z])(\d{2})Zq/g;

/** Messages of the same shape with marker texts for contents. Opaque tool calls stay as they are. */
export function markedMessages(messages: readonly ChatMessage[], opaqueCalls: boolean): ChatMessage[] {
  return messages.map((message, index) => {
    const marked: Record<string, unknown> = { role: message.role, content: "" };
    for (const field of fieldsOf(message)) {
      if (field.name === "content" && message.content.trim() === "") marked.content = message.content;
      else if (field.name === "content" && hasThought(message)) {
        marked.content = markedValue(index, { name: "answer", call: 0 });
      } else if (isOfMessage(field)) marked[field.name] = markedValue(index, field);
    }
    if (message.tool_calls) {
      marked.tool_calls = message.tool_calls.map((given, call) => {
        if (opaqueCalls) return given;
        const value = (name: FieldName): unknown => markedValue(index, { name, call });
        return {
          ...(given.id ? { id: value("id") } : {}),
          function: { ...given.function, name: value("name"), arguments: value("arguments") },
        };
      });
    }
    return marked as unknown as ChatMessage;
  });
}

/** Takes a rendered probe apart. */
export function dissect(rendered: string): Anatomy {
  const literals: string[] = [];
  const slots: Slot[] = [];
  let end = 0;
  for (const match of rendered.matchAll(MARKER)) {
    const marked = names.get(match[2] as string);
    if (marked === undefined || match.index < end) continue;
    const call = Number(match[3]);
    const message = Number(match[1]);
    const name = marked === "answer" ? "content" : marked;
    const value = markedValue(message, { name: marked, call });
    const { form, start, stop } = place(rendered, match.index, match[0], value, name, end);
    literals.push(rendered.slice(end, start));
    slots.push({ message, name, call, form });
    end = stop;
  }
  literals.push(rendered.slice(end));
  return { literals, slots };
}

/** True when arguments of a tool call were rendered in a way that is none of the forms known. */
export function hasOpaqueArguments(anatomy: Anatomy): boolean {
  return anatomy.slots.some(({ name, form }) => name === "arguments" && form === "");
}

/** The field of a message that stands at a slot; undefined when it has none. */
export function fieldAt(slot: Pick<Slot, "name" | "call">, message: ChatMessage): Field | undefined {
  return fieldsOf(message).find(({ name, call }) => name === slot.name && call === slot.call);
}

/** Writes a field into a prompt, a long text in slices. */
export function writeField(form: Slot["form"], { name, value }: Field): Iterable<string> {
  return name === "arguments" ? [writeJson(form, value)] : writeInSlices(form as TextForm, String(value));
}

/** The longest way of writing the value that stands at the marker. */
function place(
  rendered: string,
  at: number,
  marker: string,
  value: unknown,
  name: FieldName,
  from: number,
): { form: TextForm | JsonForm; start: number; stop: number } {
  const written: [TextForm | JsonForm, string][] =
    name === "arguments"
      ? jsonForms.map((form) => [form, writeJson(form, value)])
      : (Object.keys(textForms) as TextForm[]).map((form) => [form, writeText(form, String(value))]);
  let best = { form: name === "arguments" ? "" : "trimmed", start: at, stop: at + marker.length };
  for (const [form, text] of written) {
    const start = at - text.indexOf(marker);
    const isLonger = text.length > best.stop - best.start;
    if (isLonger && start >= from && rendered.startsWith(text, start))
      best = { form, start, stop: start + text.length };
  }
  return best;
}

function markedValue(
  message: number,
  { name, call }: { readonly name: keyof typeof letters; readonly call: number },
): unknown {
  const marker = `Qz${String(message).padStart(4, "0")}${letters[name]}${String(call).padStart(2, "0")}Zq`;
  if (name === "answer") return THOUGHT + BEFORE + marker + AFTER;
  if (name === "content" || name === "thinking") return BEFORE + marker + AFTER;
  // Keys out of order, nesting, and characters that encoders escape.
  if (name === "arguments") return { zeta: marker, alpha: [1, true, null, 2.5], mid: { b: "<é\n", a: "&" } };
  return marker;
}

function isOfMessage({ name }: Field): boolean {
  return name !== "name" && name !== "id" && name !== "arguments";
}
