/**
 * Reads Prometheus' text format 0.0.4 strictly, by its specification
 * (https://prometheus.io/docs/instrumenting/exposition_formats/): what a scraper would refuse throws.
 */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? (NaN|[+-]Inf|[+-]?[0-9.]+(?:e[+-]?\d+)?)$/s;

export function parseMetrics(text: string): Sample[] {
  if (!text.endsWith("\n")) throw new Error("the last line has no line feed");
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  const closed = new Set<string>();
  const seen = new Set<string>();
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === "HELP") {
      if (!NAME.test(name)) throw new Error(`no name: ${name}`);
      if (family !== "") closed.add(family);
      if (closed.has(name)) throw new Error(`${name} comes in two places`);
      family = name;
    } else if (keyword === "TYPE") {
      if (name !== family) throw new Error(`TYPE of ${name} within ${family}`);
      if (!["counter", "gauge", "histogram"].includes(rest)) throw new Error(`type ${rest}`);
      types.set(name, rest);
    } else {
      const sample = readSample(line);
      const suffix = sample.name.slice(family.length);
      const allowed = types.get(family) === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (!sample.name.startsWith(family) || !allowed.includes(suffix)) throw new Error(`astray: ${line}`);
      if (types.get(family) === "counter" && !family.endsWith("_total")) throw new Error(`named: ${family}`);
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      seen.add(key);
      samples.push(sample);
    }
  }
  for (const [name, type] of types) if (type === "histogram") checkHistogram(name, samples);
  return samples;
}

function readSample(line: string): Sample {
  const [, name, , labelText = "", value] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  let rest = labelText;
  while (rest !== "") {
    const [whole, key, text] = /^([^=]+)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/.exec(rest) ?? [];
    if (whole === undefined || !LABEL_NAME.test(key!) || key! in labels) throw new Error(`labels: ${line}`);
    labels[key!] = text!.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
    rest = rest.slice(whole.length);
  }
  return {
    name,
    labels,
    value: value!.endsWith("Inf") ? Number(value!.replace("Inf", "Infinity")) : Number(value),
  };
}

/** Buckets rise, end with +Inf, and agree with the count. */
function checkHistogram(name: string, samples: readonly Sample[]): void {
  const seriesOf = ({ labels: { le: _, ...labels } }: Sample) =>
    JSON.stringify(Object.entries(labels).sort());
  for (const count of samples.filter((sample) => sample.name === `${name}_count`)) {
    const buckets = samples.filter(
      (sample) => sample.name === `${name}_bucket` && seriesOf(sample) === seriesOf(count),
    );
    const bounds = buckets.map(({ labels }) =>
      labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le),
    );
    const rises = buckets.every(
      ({ value }, index) =>
        index === 0 || (value >= buckets[index - 1]!.value && bounds[index]! > bounds[index - 1]!),
    );
    if (!rises || bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`buckets of ${name}`);
    if (buckets.at(-1)!.value !== count.value) throw new Error(`count of ${name}`);
  }
}
