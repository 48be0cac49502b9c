/** GPT-2's printable stand-ins for bytes: "!"-"~", "¡"-"¬" and "®"-"ÿ" are themselves, the rest follows from U+0100. */
const standIns: readonly string[] = (() => {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

const bytes: ReadonlyMap<string, number> = new Map(standIns.map((text, byte) => [text, byte]));

/** @example byteSymbol(0x20) // "Ġ" */
export function byteSymbol(byte: number): string {
  return standIns[byte] as string;
}

/**
 * The text that a token of a byte-level vocabulary stands for, or null when it is no whole UTF-8.
 *
 * @example decodeToken("Ġhello") // " hello"
 */
export function decodeToken(token: string): string | null {
  const buffer = new Uint8Array(token.length);
  for (let index = 0; index < token.length; index++) {
    const byte = bytes.get(token[index] as string);
    if (byte === undefined) return null;
    buffer[index] = byte;
  }
  try {
    return decoder.decode(buffer);
  } catch {
    return null;
  }
}
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
