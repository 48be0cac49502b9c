/** What a person may write into a profile that no program would: its lists hold these, its windows whole numbers. */
const LISTS = {
  models: "string",
  ceilings: "object",
  memory: "object",
  batches: "object",
  loadMs: "number",
  warmLoadMs: "number",
  recentNeeds: "number",
  largestNeeds: "number",
};
const WINDOWS = ["trainedNumCtx", "pinnedNumCtx", "maximumNumCtx"];

/** The field in which a person wrote what must not be there: a window of "8192" would fail every call. */
export function misfit(document: Readonly<Record<string, unknown>>): string | undefined {
  const list = Object.entries(LISTS).find(([name, type]) => {
    const { [name]: held = [] } = document;
    return !Array.isArray(held) || held.some((each) => typeof (each ?? 0) !== type);
  });
  return list?.[0] ?? WINDOWS.find((name) => !Number.isInteger(document[name] ?? 1));
}
