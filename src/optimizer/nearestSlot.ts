/**
 * The scan over fingerprints of 128 bits, in WebAssembly: `i64.popcnt` is one instruction of the processor where
 * JavaScript takes 24. 10,000 slots take 10 µs and not 55. A search tree would not do: at 30 of 128 bits it visits
 * most of them anyway.
 */

/** Bytes of a fingerprint of 128 bits. */
const ROW = 16;
const PAGE = 65_536;

/**
 * The first slot with the smallest distance below `below`, among those of `group`; -1 when there is none.
 *
 * @param rows where the fingerprints begin, in bytes of the buffer
 * @param groups where the groups begin, one 32-bit word a slot
 * @param count slots
 * @param query where the fingerprint looked for is
 */
export type NearestSlot = (
  rows: number,
  groups: number,
  count: number,
  query: number,
  group: number,
  below: number,
) => number;

/** Memory that a scan reads. */
export interface ScannedMemory {
  readonly buffer: ArrayBufferLike;
  readonly nearest: NearestSlot;
}

/** The slice of WebAssembly that is used; `node --jitless` has none. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (descriptor: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: { readonly nearest: NearestSlot } };
}

const [I32, I64, VOID] = [0x7f, 0x7e, 0x40];
// Parameters, and then locals.
const [ROWS, GROUPS, COUNT, QUERY, GROUP, BELOW, SLOT, NEAREST, DISTANCE, LOW, HIGH] = Array(11).keys();
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const i32 = (value: number): number[] => [0x41, value & 0x7f];
const load64 = (offset: number): number[] => [0x29, 3, offset];
const ADD = 0x6a;
const advance = (local: number, by: number): number[] => [...get(local), ...i32(by), ADD, ...set(local)];
const END = 0x0b;

/** Written as one reads it; opcodes of the WebAssembly core specification, 5.4. */
const BODY: readonly number[] = [
  ...[...i32(-1), ...set(NEAREST!)],
  ...[...get(QUERY!), ...load64(0), ...set(LOW!)],
  ...[...get(QUERY!), ...load64(8), ...set(HIGH!)],
  ...[0x02, VOID, 0x03, VOID], // block, loop
  ...[...get(SLOT!), ...get(COUNT!), 0x4e, 0x0d, 1], // leave when slot >= count
  ...[...get(ROWS!), ...load64(0), ...get(LOW!), 0x85, 0x7b], // popcnt(row ^ low)
  ...[...get(ROWS!), ...load64(8), ...get(HIGH!), 0x85, 0x7b],
  ...[0x7c, 0xa7, ...set(DISTANCE!)], // their sum
  ...[...get(DISTANCE!), ...get(BELOW!), 0x48, 0x04, VOID], // if distance < below
  ...[...get(GROUPS!), 0x28, 2, 0, ...get(GROUP!), 0x46, 0x04, VOID], // if it is of the group
  ...[...get(DISTANCE!), ...set(BELOW!), ...get(SLOT!), ...set(NEAREST!)],
  ...[END, END],
  ...[...advance(ROWS!, ROW), ...advance(GROUPS!, 4), ...advance(SLOT!, 1)],
  ...[0x0c, 0, END, END], // again
  ...[...get(NEAREST!), END],
];

const section = (id: number, content: readonly number[]): number[] => {
  const { length } = content;
  return length < 0x80 ? [id, length, ...content] : [id, (length & 0x7f) | 0x80, length >> 7, ...content];
};
const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const FUNCTION = [2, 3, I32!, 2, I64!, ...BODY];

const MODULE: Uint8Array = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [1, 0x60, 6, I32!, I32!, I32!, I32!, I32!, I32!, 1, I32!]),
  ...section(2, [1, ...name("m"), ...name("m"), 2, 0, 1]),
  ...section(3, [1, 0]),
  ...section(7, [1, ...name("nearest"), 0, 0]),
  // A body begins with its length, as a section does behind its number.
  ...section(10, [1, ...section(0, FUNCTION).slice(1)]),
]);

let compiled: object | undefined;

/** Memory for fingerprints of 128 bits, at least so many bytes; null where there is no WebAssembly. */
export function scannedMemory(bytes: number): ScannedMemory | null {
  const { WebAssembly: wasm } = globalThis as { readonly WebAssembly?: Wasm };
  if (wasm === undefined) return null;
  try {
    compiled ??= new wasm.Module(MODULE);
    const memory = new wasm.Memory({ initial: Math.ceil(bytes / PAGE) });
    const { nearest } = new wasm.Instance(compiled, { m: { m: memory } }).exports;
    return { buffer: memory.buffer, nearest };
  } catch {
    // A process whose addresses are limited (`ulimit -v`) gets none: each takes gigabytes of them.
    return null;
  }
}
