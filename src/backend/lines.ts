/** Splits a body of newline-delimited JSON into lines, without the line breaks and without empty lines. */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of body) {
    rest += decoder.decode(part, { stream: true });
    let from = 0;
    for (let at = rest.indexOf("\n"); at >= 0; at = rest.indexOf("\n", from)) {
      const line = rest.slice(from, at);
      from = at + 1;
      if (line.trim() !== "") yield line;
    }
    if (from > 0) rest = rest.slice(from);
  }
  rest += decoder.decode();
  if (rest.trim() !== "") yield rest;
}
