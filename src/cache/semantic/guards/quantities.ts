/** Numbers with the units they are given in, and units that stand alone. */

/** Spellings by unit. */
const UNITS: Readonly<Record<string, string>> = Object.fromEntries(
  `km kilometer kilometers kilometre kilometres|mi mile miles|m meter meters metre metres|cm centimeter centimeters centimetre
centimetres|mm millimeter millimeters millimetre millimetres|ft foot feet|in inch inches|yd yard yards
kg kilogram kilograms kilo kilos|g gram grams|mg milligram milligrams|lb lbs pound pounds £ gbp|oz ounce ounces|ton tons tonne tonnes
celsius °c|fahrenheit °f|kelvin|% percent percentage pct|$ dollar dollars usd|€ euro euros eur|¥ yen jpy|cent cents
kb kilobyte kilobytes|mb megabyte megabytes|gb gigabyte gigabytes|tb terabyte terabytes|bit bits|byte bytes
ms millisecond milliseconds|s sec secs second seconds|min mins minute minutes|h hr hrs hour hours hourly|day days daily
week weeks weekly|month months monthly|year years yearly annual annually|decade decades|century centuries
mph|km/h kmh kph|l liter liters litre litres|ml milliliter milliliters millilitre millilitres|gallon gallons|cup cups|watt watts w
kw kilowatt kilowatts|volt volts v|amp amps|hz hertz|calorie calories kcal|degree degrees °|am a.m|pm p.m|digit digits
character characters|people persons|night nights|times`
    .split(/[|\n]/)
    .flatMap((line) => {
      const [name = "", ...others] = line.trim().split(" ");
      return [name, ...others].map((spelling) => [spelling, name]);
    }),
);
/** Too short to be a unit except behind a number. */
const ONLY_BEHIND_NUMBERS = new Set([
  "m",
  "g",
  "s",
  "h",
  "l",
  "in",
  "w",
  "v",
  "am",
  "min",
  "mi",
  "times",
  "people",
]);

const NUMBER_WORDS: Readonly<Record<string, number>> = Object.fromEntries(
  `zero 0|two 2|three 3|four 4|five 5|six 6|seven 7|eight 8|nine 9|ten 10|eleven 11|twelve 12|dozen 12|thirteen 13|fourteen 14
fifteen 15|sixteen 16|seventeen 17|eighteen 18|nineteen 19|twenty 20|thirty 30|forty 40|fifty 50|sixty 60|seventy 70|eighty 80
ninety 90|half 0.5|quarter 0.25|twice 2|double 2|doubles 2|doubling 2|triple 3|triples 3|first 1|third 3|fourth 4|fifth 5`
    .split(/[|\n]/)
    .map((pair) => {
      const [word = "", value] = pair.trim().split(" ");
      return [word, Number(value)];
    }),
);
const FACTORS: Readonly<Record<string, number>> = {
  hundred: 100,
  thousand: 1e3,
  k: 1e3,
  million: 1e6,
  billion: 1e9,
};

const TOKEN = /[$€£¥]|°\s?[CF]\b|[%°]|\d+(?:[.,]\d+)*|km\/h|\p{L}+(?:\.\p{L}\b)?/gu;

/** What a text measures. */
export interface Quantities {
  /** Numbers with their units, in their order. */
  readonly numbers: readonly string[];
  /** All units, sorted, each once. */
  readonly units: readonly string[];
}

/**
 * Numbers in figures or words, with the unit before or behind them; "one" is no number, as it seldom counts.
 *
 * @example quantitiesIn("Is $1,000 for two weeks 5% more?") // { numbers: ["1000 $", "2 week", "5 %"], units: ["$", "%", "week"] }
 */
export function quantitiesIn(text: string): Quantities {
  const tokens = [...text.normalize("NFKC").toLowerCase().matchAll(new RegExp(TOKEN, "giu"))].map(([token]) =>
    token.replace(/\s/g, ""),
  );
  const numbers: string[] = [];
  const units = new Set<string>();
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    const unit = UNITS[token];
    const isAlone = unit !== undefined && !ONLY_BEHIND_NUMBERS.has(token);
    if (isAlone) units.add(unit);
    let value = numberOf(token);
    if (value === undefined) continue;
    // "1.2.3" is no number and compared as it stands.
    if (Number.isNaN(value)) numbers.push(token);
    if (Number.isNaN(value)) continue;
    while (tokens[at + 1]! in FACTORS) value *= FACTORS[tokens[++at]!]!;
    let next = UNITS[tokens[at + 1] ?? ""];
    // "20 degrees Celsius" is "20 °C".
    if (next === "degree" && /^(?:celsius|fahrenheit|kelvin)$/.test(UNITS[tokens[at + 2] ?? ""] ?? "")) {
      at++;
      next = UNITS[tokens[at + 1]!];
    }
    const before = /^[$€£¥]$/.test(tokens[at - 1] ?? "") ? UNITS[tokens[at - 1]!] : undefined;
    if (next) units.add(next);
    numbers.push([value, next ?? before].filter((part) => part !== undefined).join(" "));
  }
  return { numbers, units: [...units].sort() };
}

/** Whether a word is a number or a unit: these are compared as {@link quantitiesIn} reads them. */
export function isQuantity(word: string): boolean {
  return (word in UNITS && !ONLY_BEHIND_NUMBERS.has(word)) || numberOf(word) !== undefined;
}

function numberOf(token: string): number | undefined {
  if (/^\d/.test(token)) return Number(token.replace(/,(?=\d{3}(?:\D|$))/g, "").replace(",", "."));
  return NUMBER_WORDS[token];
}
