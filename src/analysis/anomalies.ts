/** Searches a request log for what is out of the ordinary. */
import type { RequestRecord } from "../records.js";
import { type Call, slotOf } from "./call.js";
import { Door } from "./door.js";
import { entryOf } from "./entryOf.js";
import { GroupWatch } from "./groupWatch.js";
import { LoadWatch } from "./loadWatch.js";
import { MachineWatch } from "./machineWatch.js";
import { whole as wholeNumber, within } from "./optionValues.js";
import type { Anomalies, Anomaly, AnomalyOptions } from "./types.js";
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
  private readonly groups = new Map<string, Map<string, GroupWatch>>();
  private readonly loads = new Map<string, LoadWatch>();
  private readonly machines = new Map<string, MachineWatch>();
  private readonly volume: VolumeWatch;
  private readonly door = new Door();

  constructor(options: Omit<AnomalyOptions, "now"> = {}) {
    this.settings = {
      window: wholeNumber("window", options.window ?? WINDOW, 32),
      minimum: wholeNumber("minimum", options.minimum ?? MINIMUM, 20),
      method: options.method ?? "robust",
    };
    this.volume = new VolumeWatch(within("volumeBucketMs", options.volumeBucketMs ?? HOUR_MS, 1));
  }

  /**
   * What this record shows, in the light of those before.
   *
   * @param now ms since the epoch
   */
  take(record: RequestRecord, now: number): readonly Anomaly[] {
    const at = this.door.admit(record, now);
    return at === null ? [] : this.takeCall({ record, at });
  }

  /** The same for a record that was checked already. */
  takeCall(call: Call): readonly Anomaly[] {
    const { record } = call;
    const { serverId, model } = record;
    const byGroup = this.group(call).take(call);
    const slot = slotOf(record);
    const loads = entryOf(this.loads, slot, () => new LoadWatch({ serverId, model, templateId: null }));
    const machine = entryOf(this.machines, serverId, () => new MachineWatch(serverId));
    const byLoads = loads.take(call);
    const byMachine = machine.take(call);
    const byVolume = this.volume.take(call);
    if (byGroup.length + byLoads.length + byMachine.length + byVolume.length === 0) return [];
    return [...byGroup, ...byLoads, ...byMachine, ...byVolume];
  }

  /** How far each group could be judged, most calls first, and what was refused. */
  state(): Omit<Anomalies, "anomalies"> {
    const groups = [...this.groups.values()]
      .flatMap((byTemplate) => [...byTemplate.values()])
      .sort((a, b) => b.calls - a.calls)
      .map(({ group, calls, judged }) => ({ ...group, calls, judged }));
    return { groups, refused: this.door.refused };
  }

  private group({ record }: Call): GroupWatch {
    const { serverId, model, templateId } = record;
    const place = `${serverId} ${model}`;
    const byTemplate = entryOf(this.groups, place, () => new Map());
    return entryOf(
      byTemplate,
      templateId ?? "",
      () => new GroupWatch({ serverId, model, templateId }, this.settings),
    );
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
