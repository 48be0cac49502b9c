const months = "January February March April May June July August September October November December".split(
  " ",
);

/** The local day, e.g. "2026-11-21". */
export function dayOf(now: Date): string {
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");
}

/** True when a text names today (here or in UTC), as templates with a date do: Llama 3.1, gpt-oss. */
export function namesToday(text: string, now: Date): boolean {
  return [dayOf(now), now.toISOString().slice(0, 10)].some((day) =>
    writingsOf(day).some((writing) => text.includes(writing)),
  );
}

function writingsOf(day: string): string[] {
  const [year, monthNumber, padded] = day.split("-") as [string, string, string];
  const month = months[Number(monthNumber) - 1] as string;
  const date = String(Number(padded));
  return [month, month.slice(0, 3)]
    .flatMap((name) => [
      `${padded} ${name} ${year}`,
      `${date} ${name} ${year}`,
      `${name} ${padded}, ${year}`,
      `${name} ${date}, ${year}`,
    ])
    .concat(day, `${padded}/${monthNumber}/${year}`, `${monthNumber}/${padded}/${year}`);
}
