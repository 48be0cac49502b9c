/** Adds up what calls cost: tokens at a price list, the time of servers, electricity, and other price lists. */
import type { RequestRecord } from "../records.js";
import { Calendar } from "./calendar.js";
import type { Call } from "./call.js";
import { entryOf } from "./entryOf.js";
import { invalid, within } from "./optionValues.js";
import type { CostLine, Costs, Prices, TokenPrice } from "./types.js";
import { WorkingTime } from "./workingTime.js";

/** Price of all models that have none of their own. */
const OTHERS = "*";
const NONE = "none";
const HOUR_MS = 3_600_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Adds up calls; the sums are read at the end. */
export class Accountant {
  private readonly calendar: Calendar;
  private readonly sums: Readonly<Record<Division, Map<string, Mutable<CostLine>>>>;
  private readonly total: Mutable<CostLine>;
  private readonly working = new WorkingTime();
  private readonly hosted: readonly (readonly [string, TokenPrice])[];

  /** @throws OptimizerError `OPTION_INVALID` for a price that is negative or no number, or an unknown time zone */
  constructor(private readonly prices: Prices = {}) {
    checkPrices(prices);
    this.calendar = new Calendar(prices.timeZone ?? "UTC");
    this.hosted = Object.entries(prices.hosted ?? {});
    this.total = this.emptyLine();
    this.sums = {
      byDay: new Map(),
      byWeek: new Map(),
      byMonth: new Map(),
      byModel: new Map(),
      byTemplate: new Map(),
      byTag: new Map(),
      byOwner: new Map(),
    };
  }

  takeCall({ record, at }: Call): void {
    const bill = this.billOf(record, at);
    const { day, week, month } = this.calendar.at(at);
    add(this.total, bill);
    add(this.line("byDay", day), bill);
    add(this.line("byWeek", week), bill);
    add(this.line("byMonth", month), bill);
    add(this.line("byModel", record.model), bill);
    add(this.line("byTemplate", record.templateId ?? NONE), bill);
    add(this.line("byOwner", record.owner ?? NONE), bill);
    const tags = record.tags?.length ? new Set(record.tags) : [NONE];
    for (const tag of tags) add(this.line("byTag", tag), bill);
  }

  result(refused: Costs["refused"]): Costs {
    const { byDay, byWeek, byMonth, byModel, byTemplate, byTag, byOwner } = this.sums;
    return {
      currency: this.prices.currency ?? "USD",
      timeZone: this.calendar.timeZone,
      total: this.total,
      byDay: inOrder(byDay),
      byWeek: inOrder(byWeek),
      byMonth: inOrder(byMonth),
      byModel: inOrder(byModel),
      byTemplate: inOrder(byTemplate),
      byTag: inOrder(byTag),
      byOwner: inOrder(byOwner),
      refused,
    };
  }

  private line(division: Division, name: string): Mutable<CostLine> {
    const lines = this.sums[division];
    const line = entryOf(lines, name, () => this.emptyLine());
    return line;
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
      callMs: 0,
      computeMs: 0,
      tokenCost: null,
      computeCost: null,
      kilowattHours: null,
      electricityCost: null,
      totalCost: null,
      hosted: Object.fromEntries(this.hosted.map(([name]) => [name, 0])),
    };
  }

  private billOf(record: RequestRecord, at: number): CostLine {
    const { prices } = this;
    const callMs = record.totalMs ?? 0;
    const computeMs = this.working.add(record.serverId, at, at + callMs);
    const price = prices.models?.[record.model] ?? prices.models?.[OTHERS];
    const isCounted = record.promptTokens !== null || record.outputTokens !== null;
    const tokenCost = price && isCounted ? tokensAt(price, record) : null;
    const computeCost =
      prices.computePerHour === undefined ? null : (prices.computePerHour * computeMs) / HOUR_MS;
    const watts = wattsOf(prices, record);
    const kilowattHours = watts === null ? null : (watts * computeMs) / HOUR_MS / 1000;
    const electricityCost =
      kilowattHours === null ? null : kilowattHours * prices.electricity!.perKilowattHour;
    const hosted: Record<string, number> = {};
    for (const [name, list] of this.hosted) hosted[name] = tokensAt(list, record);
    return {
      calls: 1,
      failedCalls: record.error === null ? 0 : 1,
      inputTokens: record.promptTokens ?? 0,
      cachedTokens: record.cachedTokens ?? 0,
      outputTokens: record.outputTokens ?? 0,
      uncountedCalls: isCounted ? 0 : 1,
      unpricedCalls: price ? 0 : 1,
      callMs,
      computeMs,
      tokenCost,
      computeCost,
      kilowattHours,
      electricityCost,
      totalCost: sum(sum(tokenCost, computeCost), electricityCost),
      hosted,
    };
  }
}

type Division = "byDay" | "byWeek" | "byMonth" | "byModel" | "byTemplate" | "byTag" | "byOwner";

function tokensAt(price: TokenPrice, record: RequestRecord): number {
  const cached = Math.min(record.cachedTokens ?? 0, record.promptTokens ?? 0);
  const fresh = (record.promptTokens ?? 0) - cached;
  const { inputPer1k, outputPer1k, cachedInputPer1k = inputPer1k } = price;
  return (fresh * inputPer1k + cached * cachedInputPer1k + (record.outputTokens ?? 0) * outputPer1k) / 1000;
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
  line.callMs += bill.callMs;
  line.computeMs += bill.computeMs;
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
      for (const [field, value] of Object.entries(price)) {
        if (value !== undefined) within(`${list}[${JSON.stringify(name)}].${field}`, value as number, 0);
      }
      if (price.inputPer1k === undefined || price.outputPer1k === undefined) {
        throw invalid(`${list}[${JSON.stringify(name)}]`, "incomplete", "{ inputPer1k, outputPer1k }");
      }
    }
  }
  if (computePerHour !== undefined) within("computePerHour", computePerHour, 0);
  if (!electricity) return;
  within("electricity.perKilowattHour", electricity.perKilowattHour, 0);
  if (typeof electricity.watts !== "function") within("electricity.watts", electricity.watts, 0);
}
