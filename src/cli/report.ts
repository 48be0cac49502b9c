/** `report`: what the request log says about a period, for people. */
import { reportOf } from "../analysis/report.js";
import { reportHtml } from "../analysis/reportHtml.js";
import { reportMarkdown } from "../analysis/reportMarkdown.js";
import type { Report } from "../analysis/types.js";
import { appliedSteps, History } from "../autopilot/history.js";
import type { RequestRecord } from "../records.js";
import { EXIT, type Surroundings, usageError } from "./command.js";
import { readFlags, readNumber, refuseMore } from "./flags.js";
import { widestFor } from "./inspect/printed.js";
import { nearest } from "./nearest.js";
import { assertWritable, writeWhole } from "./outputFile.js";
import { readPrices } from "./pricesFile.js";
import { readRequests, sinceDays } from "./readRequests.js";
import { reportText } from "./reportText.js";
import { type Status, status } from "./status.js";
import { STORE_FLAGS, STORE_HELP, withStore } from "./storeAt.js";
import { type Style, styleFor } from "./style.js";

export const usage: string = `report [options]

The analysis of the request log: how long calls took, what was anomalous and why, trends, what other ways of sizing the
window would have cost, the hours to come, and what to do about it.

  --days N        only the last so many days; default all that is stored
  --format NAME   text, json, markdown or html; default by the name of --out, else text
  --out FILE      into a file, whole or not at all
  --prices FILE   JSON: what costs are reckoned by
  --force         also over a file that is there
  --title TEXT    of the report
  --timezone NAME such as Europe/Berlin; default this machine's
  --json          as --format json
${STORE_HELP}

Examples:
  langchain-ollama-optimizer report
  langchain-ollama-optimizer report --days 7 --out report.html
  langchain-ollama-optimizer report --format markdown --title "Week 47" > report.md
`;

const MANY = 10_000;
const FORMATS = ["text", "json", "markdown", "html"] as const;
type Format = (typeof FORMATS)[number];
const ENDINGS: Readonly<Record<string, Format>> = { json: "json", md: "markdown", html: "html", htm: "html" };

/** @throws OptimizerError `ARGUMENT_INVALID`, `OPTION_INVALID`, `FILE_EXISTS` and what opening the store throws */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { out, err, environment } = surroundings;
  const { values, positionals } = readFlags(args, {
    ...STORE_FLAGS,
    days: { type: "string" },
    format: { type: "string" },
    out: { type: "string" },
    prices: { type: "string" },
    force: { type: "boolean" },
    title: { type: "string" },
    timezone: { type: "string" },
    json: { type: "boolean" },
  });
  refuseMore(positionals, "`report --help` shows how it is called.");
  const format = values.json ? "json" : formatOf(values.format, values.out);
  const now = Date.now();
  const days =
    values.days === undefined ? undefined : readNumber("--days", values.days, { least: 0, most: 36_500 });
  const prices = values.prices === undefined ? undefined : readPrices(values.prices);
  if (values.out !== undefined) assertWritable(values.out, values.force ?? false);
  const shown = status(err);
  // With TZ set to nothing, Node names a zone that it does not know itself: "Etc/Unknown".
  const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone?.replace("Etc/Unknown", "UTC");
  const { report, place } = await withStore(values, surroundings, async (store, place) => ({
    place,
    report: await reportOf(
      thenTold(readRequests(store, { since: sinceDays(days, now) }, surroundings), shown),
      {
        now,
        title: values.title,
        prices,
        timeZone: values.timezone ?? timeZone,
        applied: appliedSteps(new History(store).steps()),
      },
    ),
  }));
  shown.end();
  if (report.summary.calls === 0) err.write(`No requests found in ${place}.\n`);
  if (values.out === undefined) {
    out.write(written(report, format, styleFor(out, environment), widestFor(out)));
    return EXIT.ok;
  }
  const text = written(report, format, (_, plain) => plain, Number.POSITIVE_INFINITY);
  await writeWhole(values.out, [text], surroundings.signal);
  err.write(`Written to ${values.out}.\n`);
  return EXIT.ok;
}

/** Says so when all is read: with many requests, what follows takes seconds too. */
async function* thenTold(
  requests: AsyncIterable<RequestRecord>,
  shown: Status,
): AsyncGenerator<RequestRecord> {
  let read = 0;
  for await (const request of requests) {
    read++;
    yield request;
  }
  if (read > MANY) shown.show("drawing conclusions", 1);
}

function written(report: Report, format: Format, style: Style, widest: number): string {
  switch (format) {
    case "text":
      return reportText(report, style, widest);
    case "json":
      return `${JSON.stringify(report, null, 2)}\n`;
    case "markdown":
      return reportMarkdown(report);
    case "html":
      return reportHtml(report);
  }
}

function formatOf(name: string | undefined, file: string | undefined): Format {
  if (name === undefined) return ENDINGS[file?.split(".").at(-1)?.toLowerCase() ?? ""] ?? "text";
  const format = FORMATS.find((each) => each === name);
  if (format) return format;
  const meant = nearest(name, FORMATS);
  throw usageError(
    `--format is "${name}"`,
    `${meant ? `Did you mean ${meant}? ` : ""}Give ${FORMATS.join(", ")}.`,
  );
}
