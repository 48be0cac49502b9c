/**
 * Fields of a JSON object; null for anything else.
 *
 * @example jsonBody(new TextEncoder().encode('{"a": 1}')) // { a: 1 }
 * @example jsonBody(new TextEncoder().encode("[1]")) // null
 */
export function jsonBody(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}
