/** Reads server-sent events from a fetched body: EventSource cannot send a token in a header. */

/**
 * The `data` of each event (https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6). Other fields are
 * not used by this server and left out.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} onBytes called for all that comes, heartbeats too
 * @returns {AsyncGenerator<string>} ends with the body; an event without its blank line is dropped
 */
export async function* eventsOf(body, onBytes) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  /** @type {string[]} */
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      rest += decoder.decode(value, { stream: true });
      // A carriage return at the end may be half of a line break.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield data.join("\n");
          data = [];
        } else if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
