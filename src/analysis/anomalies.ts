/** Searches a request log for what is out of the ordinary. */
import type { RequestRecord } from "../records.js";
import type { Call, Slot } from "./call.js";
import { Door } from "./door.js";
import { entryOf } from "./entryOf.js";
import { GroupWatch } from "./groupWatch.js";
import { LoadWatch } from "./loadWatch.js";
import { MachineWatch } from "./machineWatch.js";
import { whole as wholeNumber, within } from "./optionValues.js";
import type { Anomalies, Anomaly, AnomalyOptions, Group } from "./types.js";
import { VolumeWatch } from "./volumeWatch.js";

const WINDOW = 256;
const MINIMUM = 40;
const HOUR_MS = 3_600_000;

/**
 * Looks at records as they come, in the order of the log, in constant time and bounded memory by group. A monitor
 * hands it each record as it is written; {@link anomaliesOf} a whole log.
 *
 * @throws OptimizerError `OPTION_INVALID`
 */
export class AnomalyDetector {
  private readonly settings: {
    readonly window: number;
    readonly minimum: number;
    readonly method: "robust" | "threeSigma";
  };
  private readonly groups = new Map<Group, GroupWatch>();
  private readonly loads = new Map<Slot, LoadWatch>();
  private readonly machines = new Map<string, MachineWatch>();
  private readonly bucketMs: number;
  private volume: VolumeWatch;
  private readonly door = new Door();
  private readonly againMs: number;

  /**
   * @param options.againMs reload storms and busy machines that last are found again after so long; default never, as
   * a log tells them once
   */
  constructor(options: Omit<AnomalyOptions, "now"> & { readonly againMs?: number } = {}) {
    this.againMs = options.againMs ?? Number.POSITIVE_INFINITY;
    this.settings = {
      window: wholeNumber("window", options.window ?? WINDOW, 32),
      minimum: wholeNumber("minimum", options.minimum ?? MINIMUM, 20),
      method: options.method ?? "robust",
    };
    this.bucketMs = within("volumeBucketMs", options.volumeBucketMs ?? HOUR_MS, 1);
    this.volume = new VolumeWatch(this.bucketMs);
  }

  /**
   * What this record shows, in the light of those before.
   *
   * @param now ms since the epoch
   */
  take(record: RequestRecord, now: number): readonly Anomaly[] {
    const call = this.door.admit(record, now);
    return call === null ? [] : this.takeCall(call);
  }

  /** The same for a record that was checked already. */
  takeCall(call: Call): readonly Anomaly[] {
    const { group, slot } = call;
    const { serverId } = slot;
    const watch = this.groups.get(group) ?? this.watchGroup(group);
    const byGroup = watch.take(call);
    const byLoads = (this.loads.get(slot) ?? this.watchLoads(slot)).take(call);
    const byMachine = (this.machines.get(serverId) ?? this.watchMachine(serverId)).take(call);
    if (call.goesBack) this.volume = new VolumeWatch(this.bucketMs);
    const byVolume = this.volume.take(call);
    if (byGroup.length + byLoads.length + byMachine.length + byVolume.length === 0) return [];
    return [...byGroup, ...byLoads, ...byMachine, ...byVolume];
  }

  private watchGroup(group: Group): GroupWatch {
    return entryOf(this.groups, group, () => new GroupWatch(group, this.settings));
  }

  private watchLoads(slot: Slot): LoadWatch {
    return entryOf(this.loads, slot, () => new LoadWatch({ ...slot, templateId: null }, this.againMs));
  }

  private watchMachine(serverId: string): MachineWatch {
    return entryOf(this.machines, serverId, () => new MachineWatch(serverId, this.againMs));
  }

  /** How far each group could be judged, most calls first, and what was refused. */
  state(): Omit<Anomalies, "anomalies"> {
    const groups = [...this.groups.values()]
      .sort((a, b) => b.calls - a.calls)
      .map(({ group, calls, judged }) => ({ ...group, calls, judged }));
    return { groups, refused: this.door.refused };
  }
}

/**
 * Anomalies of a request log, in the order in which they showed.
 *
 * @param requests in the order of the log
 * @throws OptimizerError `OPTION_INVALID`
 */
export function anomaliesOf(requests: Iterable<RequestRecord>, options: AnomalyOptions): Anomalies {
  const now = within("now", options.now, 0);
  const detector = new AnomalyDetector(options);
  const anomalies: Anomaly[] = [];
  for (const record of requests) anomalies.push(...detector.take(record, now));
  return { anomalies, ...detector.state() };
}
