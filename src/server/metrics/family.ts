/** Prometheus metrics by hand: text exposition format 0.0.4. Names end as Prometheus wants: unit, then `_total`. */

/** Values of a family's labels, in their order. */
type Labels = readonly string[];

export interface Family {
  /** Its lines, each with a line break at the end. */
  text(): string;
}

/** A family's name, what it says to people, and its labels. */
export interface Description {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Only rises. */
export class Counter implements Family {
  private readonly values = new Map<string, number>();

  constructor(private readonly description: Description) {
    if (!description.labels?.length) this.values.set("", 0);
  }

  add(labels: Labels, value: number = 1): void {
    const key = labelText(this.description.labels ?? [], labels);
    this.values.set(key, (this.values.get(key) ?? 0) + value);
  }

  text(): string {
    return head(this.description, "counter") + lines(this.description.name, this.values);
  }
}

/** What a value is at the time somebody asks. */
export class Gauge implements Family {
  constructor(
    private readonly description: Description,
    private readonly value: () => number,
    private readonly type: "gauge" | "counter" = "gauge",
  ) {}

  text(): string {
    return head(this.description, this.type) + lines(this.description.name, [["", this.value()]]);
  }
}

/** Counts per upper bound, their sum and number. */
export class Histogram implements Family {
  private readonly series = new Map<string, { readonly labels: Labels; counts: number[]; sum: number }>();

  /** @param bounds ascending; above the last is +Inf */
  constructor(
    private readonly description: Description,
    private readonly bounds: readonly number[],
  ) {}

  observe(labels: Labels, value: number): void {
    const key = labels.join("\n");
    let series = this.series.get(key);
    if (!series) {
      series = { labels, counts: new Array<number>(this.bounds.length + 1).fill(0), sum: 0 };
      this.series.set(key, series);
    }
    const at = this.bounds.findIndex((bound) => value <= bound);
    series.counts[at < 0 ? this.bounds.length : at]!++;
    series.sum += value;
  }

  text(): string {
    const { name, labels: names = [] } = this.description;
    let text = head(this.description, "histogram");
    for (const { labels, counts, sum } of this.series.values()) {
      let below = 0;
      counts.forEach((count, index) => {
        below += count;
        const bound = this.bounds[index];
        const le = bound === undefined ? "+Inf" : String(bound);
        text += `${name}_bucket${labelText([...names, "le"], [...labels, le])} ${below}\n`;
      });
      const own = labelText(names, labels);
      text += `${name}_sum${own} ${sum}\n${name}_count${own} ${below}\n`;
    }
    return text;
  }
}

function head({ name, help }: Description, type: string): string {
  return `# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\n# TYPE ${name} ${type}\n`;
}

function lines(name: string, values: Iterable<readonly [string, number]>): string {
  let text = "";
  for (const [labels, value] of values) text += `${name}${labels} ${value}\n`;
  return text;
}

function labelText(names: readonly string[], values: Labels): string {
  if (names.length === 0) return "";
  return `{${names.map((name, index) => `${name}="${escaped(values[index] ?? "")}"`).join(",")}}`;
}

function escaped(value: string): string {
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
