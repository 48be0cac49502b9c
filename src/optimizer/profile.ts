/** Between a slot's state and its stored profile. */
import { type ProfileRecord, SCHEMA_VERSION } from "../records.js";
import type { SlotKnowledge, SlotState } from "./slotState.js";

/** A change as the store merges it: `counts` are increments, all else replaces. */
export type ProfileChange = Partial<Omit<ProfileRecord, "id" | "counts">> & {
  readonly id: string;
  readonly counts: Partial<ProfileRecord["counts"]>;
};

/** What a store holds of a profile: a field that nobody wrote yet is absent. */
export type PartialProfile = Partial<Omit<ProfileRecord, "counts">> & {
  readonly counts: Partial<ProfileRecord["counts"]>;
};

/** What identifies a slot. */
export type SlotIdentity = Pick<SlotState, "serverId" | "blob" | "trainedNumCtx">;

const NOTHING_KNOWN: SlotKnowledge = {
  loadMs: [],
  warmLoadMs: [],
  recentNeeds: [],
  largestNeeds: [],
  ceilings: [],
  memory: [],
  batches: [],
  sawVram: false,
  refusesOverflow: null,
  pinnedNumCtx: null,
  maximumNumCtx: null,
  steering: {},
  calls: 0,
  spillCostMs: 0,
  unspilledTokensPerSecond: null,
};

/**
 * A slot at the start of a program: what its profile remembers, and the options last sent, which the runner may
 * still have.
 */
export function slotFromProfile(identity: SlotIdentity, profile?: PartialProfile): SlotState {
  return {
    serverId: identity.serverId,
    blob: identity.blob,
    trainedNumCtx: identity.trainedNumCtx ?? profile?.trainedNumCtx ?? null,
    loaded: null,
    options: profile?.lastOptions ?? {},
    pending: null,
    contest: null,
    known: knowledgeOf(profile),
  };
}

/** A running slot with what other programs learned meanwhile. */
export function withProfile(slot: SlotState, profile: PartialProfile): SlotState {
  return withLastOptions({ ...slot, known: knowledgeOf(profile) }, profile);
}

/**
 * A runner that another program started shows its window alone; what else it was started with, of which leaving one
 * out reloads it, stands in the profile.
 */
export function withLastOptions(slot: SlotState, profile: PartialProfile | undefined): SlotState {
  const { lastOptions } = profile ?? {};
  const isLoaded = slot.pending === null && slot.loaded !== null && slot.loaded.numCtx !== null;
  return isLoaded && lastOptions?.num_ctx === slot.loaded.numCtx ? { ...slot, options: lastOptions } : slot;
}

/** A profile may be a partial one: who pins a window writes only that. */
function knowledgeOf(profile: PartialProfile | undefined): SlotKnowledge {
  if (!profile) return NOTHING_KNOWN;
  return {
    loadMs: profile.loadMs ?? [],
    warmLoadMs: profile.warmLoadMs ?? [],
    recentNeeds: profile.recentNeeds ?? [],
    largestNeeds: profile.largestNeeds ?? [],
    ceilings: profile.ceilings ?? [],
    memory: profile.memory ?? [],
    batches: profile.batches ?? [],
    sawVram: profile.sawVram ?? false,
    refusesOverflow: profile.refusesOverflow ?? null,
    pinnedNumCtx: profile.pinnedNumCtx ?? null,
    maximumNumCtx: profile.maximumNumCtx ?? null,
    steering: profile.steering ?? {},
    calls: profile.counts.calls ?? 0,
    spillCostMs: Math.max(0, profile.counts.spillCostMs ?? 0),
    unspilledTokensPerSecond: profile.unspilledTokensPerSecond ?? null,
  };
}

/** Id of a slot's profile. */
export function profileId(slot: Pick<SlotState, "serverId" | "blob">): string {
  return `${slot.serverId} ${slot.blob}`;
}

/**
 * The change that stores a slot's state, but for its ceilings: who has not heard yet of one that another program met
 * would take it away. Who changed them adds them.
 *
 * @param counts increments
 */
export function profileChange(
  slot: SlotState,
  now: number,
  counts: Partial<ProfileRecord["counts"]>,
): ProfileChange {
  const {
    calls: _calls,
    spillCostMs: _spillCostMs,
    pinnedNumCtx: _pinned,
    maximumNumCtx: _maximum,
    steering: _steering,
    batches: _batches,
    ceilings: _ceilings,
    ...learned
  } = slot.known;
  const at = new Date(now).toISOString();
  return {
    id: profileId(slot),
    schemaVersion: SCHEMA_VERSION,
    createdAt: at,
    updatedAt: at,
    serverId: slot.serverId,
    blob: slot.blob,
    trainedNumCtx: slot.trainedNumCtx,
    lastOptions: slot.options,
    ...learned,
    counts,
  };
}
