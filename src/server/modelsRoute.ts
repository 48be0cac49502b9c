/** `GET /optimization/models`: what Ollama has loaded, and what is known of every model that was used. */
import { loadedModels } from "../backend/ollama.js";
import type { WireLoadedModel } from "../backend/wire.js";
import { quantile } from "../optimizer/histogram.js";
import type { Histogram, ProfileRecord } from "../records.js";
import type { ServerContext } from "./options.js";

const TIMEOUT_MS = 2_000;

export async function models(context: ServerContext): Promise<Response> {
  const loaded = await loadedModels(context, AbortSignal.timeout(TIMEOUT_MS)).catch(() => null);
  return Response.json({
    upstream: loaded ? "reachable" : "unreachable",
    loaded: (loaded ?? []).map(toldOfLoaded),
    profiles: [...context.store.list("profiles")].map(toldOfProfile),
  });
}

function toldOfLoaded({ name, digest, context_length, size, size_vram, expires_at }: WireLoadedModel) {
  return {
    model: name,
    digest,
    numCtx: context_length ?? null,
    sizeBytes: size,
    vramBytes: size_vram,
    expiresAt: expires_at ?? null,
  };
}

function toldOfProfile(profile: ProfileRecord) {
  const { counts } = profile;
  const { outputTokens, promptTokens, spillCostMs, ...totals } = counts;
  return {
    id: profile.id,
    serverId: profile.serverId,
    models: profile.models ?? [],
    trainedNumCtx: profile.trainedNumCtx ?? null,
    pinnedNumCtx: profile.pinnedNumCtx ?? null,
    lastOptions: profile.lastOptions ?? {},
    loadMs: profile.loadMs ?? [],
    recentNeedTokens: profile.recentNeeds ?? [],
    largestNeedTokens: profile.largestNeeds ?? [],
    ceilings: profile.ceilings ?? [],
    memory: profile.memory ?? [],
    promptTokens: quantilesOf(promptTokens),
    outputTokens: quantilesOf(outputTokens),
    counts: totals,
    updatedAt: profile.updatedAt,
  };
}

function quantilesOf(histogram: Histogram = {}) {
  return { p50: quantile(histogram, 0.5), p99: quantile(histogram, 0.99) };
}
