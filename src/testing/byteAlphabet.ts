/**
 * GPT-2's printable stand-ins for bytes: vocabularies of byte-level BPE spell every byte as one visible
 * character (a space as "Ġ"). Source: openai/gpt-2 `encoder.py`, `bytes_to_unicode`.
 */
export const byteToCharacter: readonly string[] = (() => {
  const characters: string[] = [];
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    characters.push(String.fromCharCode(printable ? byte : next++));
  }
  return characters;
})();

/** The way back. */
export const characterToByte: ReadonlyMap<string, number> = new Map(
  byteToCharacter.map((character, byte) => [character, byte]),
);

/** @example spellBytes(" a") // "Ġa" */
export function spellBytes(text: string): string {
  let spelled = "";
  for (const byte of Buffer.from(text, "utf8")) spelled += byteToCharacter[byte];
  return spelled;
}

/** The bytes that a token of a byte-level vocabulary stands for. */
export function bytesOf(token: string): Buffer {
  return Buffer.from([...token].map((character) => characterToByte.get(character) ?? 63));
}
