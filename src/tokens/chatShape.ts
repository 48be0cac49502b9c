import { type ChatContext, type ChatMessage, fieldsOf, hasThought } from "./chatMessage.js";
import { hashText } from "./segmentMemo.js";

/**
 * What a template can tell apart in a message: its role, which fields it has, and where it stands relative to the
 * last user message (templates drop older thinking, or put tools there) and to the beginning.
 */
export function messageShapes(messages: readonly ChatMessage[], opaqueCalls: boolean): string[] {
  const lastUser = messages.map(({ role }) => role).lastIndexOf("user");
  return messages.map((message, index) => {
    const fields = fieldsOf(message).map(({ name, call }) => (call > 0 ? `${name}${call}` : name));
    // Blank contents are part of the template's text: some templates ask whether there is a content.
    if (message.content !== "" && message.content.trim() === "") fields.push(JSON.stringify(message.content));
    if (hasThought(message)) fields.push("thought");
    if (opaqueCalls && message.tool_calls) fields.push(String(hashText(JSON.stringify(message.tool_calls))));
    const isFirst = index === 0 || (index === 1 && messages[0]?.role === "system");
    const zone = index < lastUser ? "<" : index === lastUser ? "=" : ">";
    return `${message.role}(${fields.join()})${zone}${isFirst ? "^" : ""}`;
  });
}

/** What holds for the whole prompt: thinking, tools, and whether and where there are system messages. */
export function contextKey(messages: readonly ChatMessage[], { tools, think }: ChatContext): string {
  const first = messages.findIndex(({ role }) => role !== "system");
  const rest = first < 0 ? [] : messages.slice(first);
  // Some templates collect all system messages at the beginning.
  const isLate = rest.some(({ role }) => role === "system");
  const system = isLate ? "late system" : first === 0 ? "" : "system";
  const toolsKey = tools?.length ? `tools:${hashText(JSON.stringify(tools))}` : "";
  return `${JSON.stringify(think ?? null)}|${system}|${toolsKey}`;
}

/**
 * Messages with the same transitions between shapes, but fewer: a probe of a long conversation must fit the
 * smallest window, or the server leaves messages out.
 */
export function shorten(
  messages: readonly ChatMessage[],
  opaqueCalls: boolean,
  length: number,
): ChatMessage[] {
  let kept = [...messages];
  while (kept.length > length) {
    const shapes = messageShapes(kept, opaqueCalls);
    const cycle = removableCycle(shapes);
    if (cycle === null) return kept;
    kept = [...kept.slice(0, cycle.from), ...kept.slice(cycle.to)];
  }
  return kept;
}

/** Messages from..to-1 that can go: the shape at both ends is the same, and every transition occurs elsewhere. */
function removableCycle(shapes: readonly string[]): { from: number; to: number } | null {
  const transitions = new Map<string, number>();
  const key = (index: number): string => `${shapes[index]}>${shapes[index + 1]}`;
  for (let index = 0; index + 1 < shapes.length; index++) {
    transitions.set(key(index), (transitions.get(key(index)) ?? 0) + 1);
  }
  for (let from = 0; from < shapes.length; from++) {
    const to = shapes.indexOf(shapes[from] as string, from + 1);
    if (to < 0) continue;
    const inside = new Map<string, number>();
    for (let index = from; index < to; index++) inside.set(key(index), (inside.get(key(index)) ?? 0) + 1);
    if ([...inside].every(([transition, times]) => (transitions.get(transition) ?? 0) > times))
      return { from, to };
  }
  return null;
}

/** Whether a system message stands behind another message. */
export function hasLateSystem(messages: readonly ChatMessage[]): boolean {
  const first = messages.findIndex(({ role }) => role !== "system");
  return first >= 0 && messages.some(({ role }, index) => index > first && role === "system");
}

/**
 * Messages with all system messages in front, as Ollama hands them to Go templates as `.System` (its
 * `template/template.go`, collate). Where one stood, something unseen remains: it keeps two messages of one role apart,
 * which would be written as one.
 *
 * @returns the messages, and for each of the given ones its place among them
 */
export function hoisted(messages: readonly ChatMessage[]): {
  readonly order: readonly ChatMessage[];
  readonly places: readonly number[];
} {
  const systems = messages.filter(({ role }) => role === "system");
  const order = [...systems];
  let written = 0;
  const places = messages.map((message) => {
    if (message.role !== "system") return order.push(message) - 1;
    if (order.length > systems.length) order.push({ role: "unseen", content: "" });
    return written++;
  });
  return { order, places };
}
