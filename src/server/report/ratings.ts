/** What people thought of replies: -1, 0 or 1 by call, the newest thousand. */
import type { RequestRecord } from "../../records.js";
import type { OptimizerStore } from "../../storage/store.js";
import { refused } from "../query.js";
import { jsonBody } from "./jsonBody.js";

interface Rating {
  readonly rating: -1 | 0 | 1;
  /** ISO 8601. */
  readonly at: string;
  readonly model: string;
  readonly templateId: string | null;
}

/** Ratings by what they say. */
export interface RatingCounts {
  readonly good: number;
  readonly neutral: number;
  readonly bad: number;
}

const PREFIX = "rating ";
const MOST = 1_000;
/** A call is rated soon after it; older ones are not looked for. */
const NEWEST = 5_000;

/**
 * `POST /optimization/ratings` with `{"id", "rating"}`, the id being that of the call (`decision.id`, or `id` of
 * `/optimization/decisions`). A later rating of the same call takes the place of the earlier one.
 *
 * @throws OptimizerError `OPTION_INVALID`
 */
export async function rate(store: OptimizerStore, bytes: Uint8Array, now: () => number): Promise<Response> {
  const { id, rating } = asked(bytes);
  const request = await find(store, id);
  if (!request) return Response.json({ error: "No call with this id is among the newest" }, { status: 404 });
  const { model, templateId } = request;
  const value: Rating = { rating, at: new Date(now()).toISOString(), model, templateId };
  await store.merge("settings", { id: PREFIX + id, value });
  await forgetOldest(store);
  return Response.json({ id, rating, model });
}

/** @param since ISO 8601 */
export function ratingCounts(store: OptimizerStore, since: string): RatingCounts {
  const counted = ratings(store).filter(({ value }) => value.at >= since);
  const count = (rating: number): number => counted.filter(({ value }) => value.rating === rating).length;
  return { good: count(1), neutral: count(0), bad: count(-1) };
}

function asked(bytes: Uint8Array): { readonly id: string; readonly rating: Rating["rating"] } {
  const body = jsonBody(bytes);
  if (!body) throw refused("body", 'JSON with "id" and "rating"');
  const { id, rating } = body;
  if (typeof id !== "string" || id === "" || id.length > 200) throw refused("id", "the id of a call");
  if (rating !== -1 && rating !== 0 && rating !== 1) throw refused("rating", "-1, 0 or 1");
  return { id, rating };
}

async function find(store: OptimizerStore, id: string): Promise<RequestRecord | null> {
  for await (const request of store.requests({ newestFirst: true, limit: NEWEST })) {
    if (request.id === id) return request;
  }
  return null;
}

function ratings(store: OptimizerStore): { readonly id: string; readonly value: Rating }[] {
  return [...store.list("settings")]
    .filter(({ id }) => id.startsWith(PREFIX))
    .map(({ id, value }) => ({ id, value: value as Rating }));
}

async function forgetOldest(store: OptimizerStore): Promise<void> {
  const all = ratings(store).sort((a, b) => (a.value.at < b.value.at ? -1 : 1));
  for (const { id } of all.slice(0, Math.max(0, all.length - MOST))) await store.remove("settings", id);
}
