/** Adds up what calls cost: tokens at a price list, the time of servers, electricity, and other price lists. */
import type { RequestRecord } from "../records.js";
import { Calendar, type LocalTime } from "./calendar.js";
import type { Call } from "./call.js";
import { entryOf } from "./entryOf.js";
import { invalid, within } from "./optionValues.js";
import type { CostLine, Costs, Group, Prices, TokenPrice } from "./types.js";
import { WorkingTime } from "./workingTime.js";

/** Price of all models that have none of their own. */
const OTHERS = "*";
const NONE = "none";
const HOUR_MS = 3_600_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Calls of one group, day, owner and set of tags: the finest line that any division is made of. */
interface Cell {
  readonly local: LocalTime;
  readonly record: RequestRecord;
  readonly line: Mutable<CostLine>;
}

/** Cells of a group, and the one that was charged last: the next call is most often one of its. */
interface GroupCells {
  readonly cells: Map<string, Cell>;
  last: Cell | null;
}

/** Cells that are put together without a pause. */
const AT_ONCE = 200;

/** Adds up calls; the sums are read at the end. */
export class Accountant {
  private readonly calendar: Calendar;
  private readonly groups = new Map<Group, GroupCells>();
  private readonly working = new WorkingTime();
  private readonly hosted: readonly (readonly [string, TokenPrice])[];

  /** @throws OptimizerError `OPTION_INVALID` for a price that is negative or no number, or an unknown time zone */
  constructor(private readonly prices: Prices = {}) {
    checkPrices(prices);
    this.calendar = new Calendar(prices.timeZone ?? "UTC");
    this.hosted = Object.entries(prices.hosted ?? {});
  }

  takeCall({ record, at, group }: Call): void {
    this.charge(this.cell(record, at, group).line, record, at);
  }

  /** Pauses now and then, for those who must not block. */
  *result(refused: Costs["refused"]): Generator<undefined, Costs> {
    const total = this.emptyLine();
    const lines = (): Map<string, Mutable<CostLine>> => new Map();
    const sums = {
      byDay: lines(),
      byWeek: lines(),
      byMonth: lines(),
      byModel: lines(),
      byTemplate: lines(),
      byTag: lines(),
      byOwner: lines(),
    };
    const addTo = (division: keyof typeof sums, name: string, line: CostLine): void =>
      add(
        entryOf(sums[division], name, () => this.emptyLine()),
        line,
      );
    let count = 0;
    for (const { cells } of this.groups.values()) {
      for (const { local, record, line } of cells.values()) {
        if (++count % AT_ONCE === 0) yield;
        add(total, line);
        addTo("byDay", local.day, line);
        addTo("byWeek", local.week, line);
        addTo("byMonth", local.month, line);
        addTo("byModel", record.model, line);
        addTo("byTemplate", record.templateId ?? NONE, line);
        addTo("byOwner", record.owner ?? NONE, line);
        for (const tag of record.tags?.length ? new Set(record.tags) : [NONE]) addTo("byTag", tag, line);
      }
    }
    return {
      currency: this.prices.currency ?? "USD",
      timeZone: this.calendar.timeZone,
      total,
      byDay: inOrder(sums.byDay),
      byWeek: inOrder(sums.byWeek),
      byMonth: inOrder(sums.byMonth),
      byModel: inOrder(sums.byModel),
      byTemplate: inOrder(sums.byTemplate),
      byTag: inOrder(sums.byTag),
      byOwner: inOrder(sums.byOwner),
      refused,
    };
  }

  private cell(record: RequestRecord, at: number, group: Group): Cell {
    const local = this.calendar.at(at);
    const own = this.groups.get(group) ?? entryOf(this.groups, group, newCells);
    if (own.last && isSame(own.last, local, record)) return own.last;
    const key = JSON.stringify([local.day, record.owner ?? null, record.tags ?? []]);
    own.last = entryOf(own.cells, key, () => ({ local, record, line: this.emptyLine() }));
    return own.last;
  }

  private emptyLine(): Mutable<CostLine> {
    return {
      calls: 0,
      failedCalls: 0,
      inputTokens: 0,
      cachedTokens: 0,
      outputTokens: 0,
      uncountedCalls: 0,
      unpricedCalls: 0,
      otherPricedCalls: 0,
      callMs: 0,
      computeMs: 0,
      inputCost: null,
      outputCost: null,
      tokenCost: null,
      computeCost: null,
      kilowattHours: null,
      electricityCost: null,
      totalCost: null,
      hosted: Object.fromEntries(this.hosted.map(([name]) => [name, 0])),
    };
  }

  private charge(line: Mutable<CostLine>, record: RequestRecord, at: number): void {
    const { prices } = this;
    const callMs = record.totalMs ?? 0;
    const computeMs = this.working.add(record.serverId, at, at + callMs);
    const price = priceOf(prices.models ?? {}, record.model);
    const isCounted = record.promptTokens !== null || record.outputTokens !== null;
    line.calls++;
    if (record.error !== null) line.failedCalls++;
    line.inputTokens += record.promptTokens ?? 0;
    line.cachedTokens += record.cachedTokens ?? 0;
    line.outputTokens += record.outputTokens ?? 0;
    if (!isCounted) line.uncountedCalls++;
    if (!price) line.unpricedCalls++;
    line.callMs += callMs;
    line.computeMs += computeMs;
    if (price && !Object.hasOwn(prices.models!, record.model)) line.otherPricedCalls++;
    const inputCost = price && isCounted ? inputAt(price, record) : null;
    const outputCost = price && isCounted ? outputAt(price, record) : null;
    const tokenCost = sum(inputCost, outputCost);
    const computeCost =
      prices.computePerHour === undefined ? null : (prices.computePerHour * computeMs) / HOUR_MS;
    const watts = wattsOf(prices, record);
    const kilowattHours = watts === null ? null : (watts * computeMs) / HOUR_MS / 1000;
    const electricityCost =
      kilowattHours === null ? null : kilowattHours * prices.electricity!.perKilowattHour;
    line.inputCost = sum(line.inputCost, inputCost);
    line.outputCost = sum(line.outputCost, outputCost);
    line.tokenCost = sum(line.tokenCost, tokenCost);
    line.computeCost = sum(line.computeCost, computeCost);
    line.kilowattHours = sum(line.kilowattHours, kilowattHours);
    line.electricityCost = sum(line.electricityCost, electricityCost);
    line.totalCost = sum(line.totalCost, sum(sum(tokenCost, computeCost), electricityCost));
    const hosted = line.hosted as Record<string, number>;
    for (const [name, list] of this.hosted) hosted[name]! += priceFor(list, record);
  }
}

function newCells(): GroupCells {
  return { cells: new Map(), last: null };
}

function isSame(cell: Cell, local: LocalTime, { owner, tags }: RequestRecord): boolean {
  const known = cell.record.tags;
  return (
    cell.local.day === local.day &&
    cell.record.owner === owner &&
    (known === tags ||
      (known?.length === tags?.length && known?.every((tag, index) => tag === tags?.[index]) === true))
  );
}

/** Models may have any name, "constructor" too. */
export function priceOf(models: NonNullable<Prices["models"]>, model: string): TokenPrice | undefined {
  return Object.hasOwn(models, model) ? models[model] : models[OTHERS];
}

type Tokens = Pick<RequestRecord, "promptTokens" | "cachedTokens" | "outputTokens">;

/** What the tokens of a call cost. */
export function priceFor(price: TokenPrice, tokens: Tokens): number {
  return inputAt(price, tokens) + outputAt(price, tokens);
}

function inputAt(price: TokenPrice, record: Tokens): number {
  const cached = Math.min(record.cachedTokens ?? 0, record.promptTokens ?? 0);
  const fresh = (record.promptTokens ?? 0) - cached;
  const { inputPer1k, cachedInputPer1k = inputPer1k } = price;
  return (fresh * inputPer1k + cached * cachedInputPer1k) / 1000;
}

function outputAt({ outputPer1k }: TokenPrice, { outputTokens }: Tokens): number {
  return ((outputTokens ?? 0) * outputPer1k) / 1000;
}

function wattsOf({ electricity }: Prices, { at, serverId }: RequestRecord): number | null {
  if (!electricity) return null;
  const watts =
    typeof electricity.watts === "number" ? electricity.watts : electricity.watts({ at, serverId });
  // A sensor that reads nonsense has measured nothing.
  return watts !== null && Number.isFinite(watts) && watts >= 0 ? watts : null;
}

function add(line: Mutable<CostLine>, bill: CostLine): void {
  line.calls += bill.calls;
  line.failedCalls += bill.failedCalls;
  line.inputTokens += bill.inputTokens;
  line.cachedTokens += bill.cachedTokens;
  line.outputTokens += bill.outputTokens;
  line.uncountedCalls += bill.uncountedCalls;
  line.unpricedCalls += bill.unpricedCalls;
  line.otherPricedCalls += bill.otherPricedCalls;
  line.callMs += bill.callMs;
  line.computeMs += bill.computeMs;
  line.inputCost = sum(line.inputCost, bill.inputCost);
  line.outputCost = sum(line.outputCost, bill.outputCost);
  line.tokenCost = sum(line.tokenCost, bill.tokenCost);
  line.computeCost = sum(line.computeCost, bill.computeCost);
  line.kilowattHours = sum(line.kilowattHours, bill.kilowattHours);
  line.electricityCost = sum(line.electricityCost, bill.electricityCost);
  line.totalCost = sum(line.totalCost, bill.totalCost);
  const hosted = line.hosted as Record<string, number>;
  for (const name in bill.hosted) hosted[name]! += bill.hosted[name]!;
}

/** null is no cost known, not 0. */
function sum(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : a + b;
}

function inOrder(lines: ReadonlyMap<string, CostLine>): Record<string, CostLine> {
  return Object.fromEntries([...lines].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function checkPrices({ models, computePerHour, electricity, hosted }: Prices): void {
  for (const [list, prices] of [
    ["models", models],
    ["hosted", hosted],
  ] as const) {
    for (const [name, price] of Object.entries(prices ?? {})) {
      for (const [field, value] of Object.entries(price ?? {})) {
        if (value !== undefined) within(`${list}[${JSON.stringify(name)}].${field}`, value as number, 0);
      }
      if (price?.inputPer1k === undefined || price.outputPer1k === undefined) {
        throw invalid(`${list}[${JSON.stringify(name)}]`, "incomplete", "{ inputPer1k, outputPer1k }");
      }
    }
  }
  if (computePerHour !== undefined) within("computePerHour", computePerHour, 0);
  if (!electricity) return;
  within("electricity.perKilowattHour", electricity.perKilowattHour, 0);
  if (typeof electricity.watts !== "function") within("electricity.watts", electricity.watts, 0);
}
