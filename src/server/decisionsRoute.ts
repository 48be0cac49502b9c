/** `GET /optimization/decisions`: what was decided about recent calls and what came of it, newest first. */

import { OptimizerError } from "../errors.js";
import type { RequestRecord } from "../records.js";
import type { OptimizerStore } from "../storage/store.js";
import { wholeNumberOf } from "./query.js";

/** A cursor that lies deeper is refused: finding it reads everything in front of it. */
const DEEPEST = 100_000;

/**
 * A page of them. The cursor is the id of the last call of the page before: ids keep their place while new calls
 * come in front.
 *
 * @throws OptimizerError `OPTION_INVALID`, `CURSOR_UNKNOWN`
 */
export async function decisions(store: OptimizerStore, query: URLSearchParams): Promise<Response> {
  const limit = wholeNumberOf(query, "limit", { least: 1, most: 200, otherwise: 50 });
  const cursor = query.get("cursor");
  const model = query.get("model") ?? undefined;
  const templateId = query.get("template") ?? undefined;
  const page: RequestRecord[] = [];
  let skipping = cursor !== null;
  let seen = 0;
  for await (const request of store.requests({ newestFirst: true, model, templateId })) {
    if (++seen > DEEPEST && skipping) break;
    if (skipping) {
      skipping = request.id !== cursor;
      continue;
    }
    page.push(request);
    if (page.length > limit) break;
  }
  if (skipping) {
    throw new OptimizerError({
      code: "CURSOR_UNKNOWN",
      message: "The call that this cursor names is not kept any more",
      remedy: "Leave the cursor out to begin anew.",
    });
  }
  const shown = page.slice(0, limit);
  return Response.json({
    decisions: shown.map(told),
    nextCursor: page.length > limit ? (shown.at(-1)?.id ?? null) : null,
  });
}

/** No text, no hash of one, nothing of the machine. */
function told(request: RequestRecord) {
  return {
    id: request.id,
    at: request.at,
    source: request.source,
    model: request.model,
    templateId: request.templateId,
    promptTokens: request.promptTokens,
    outputTokens: request.outputTokens,
    cachedTokens: request.cachedTokens,
    totalMs: request.totalMs,
    loadMs: request.loadMs,
    timeToFirstTokenMs: request.timeToFirstTokenMs,
    doneReason: request.doneReason,
    error: request.error,
    decision: request.decision,
  };
}
