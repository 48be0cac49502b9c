/** Figures of all calls, of each model and of each template of it, in bounded memory. */
import type { Point } from "./point.js";
import { Rings } from "./rings.js";
import type { Buckets } from "./tally.js";

/** All calls; of one model; of one template of it. */
export interface MonitorScope {
  readonly model?: string;
  readonly templateId?: string;
}

interface ModelSeries {
  readonly rings: Rings;
  readonly templates: Map<string, Rings>;
}

/** A key of a map with the rings' own arrays, measured. */
const SERIES_BYTES = 1_500;
/** So much is left when the bound was passed. */
const KEPT = 0.9;

export class Series {
  /** Memory held, in bytes. */
  bytes = 0;
  /** Models and templates that were forgotten. */
  forgotten = 0;
  private readonly all = new Rings("all");
  private readonly models = new Map<string, ModelSeries>();
  private uses = 0;

  /** @param maxBytes what was not called for longest is forgotten beyond it */
  constructor(private readonly maxBytes: number) {}

  /** @param now milliseconds since 1970 */
  add(point: Point, buckets: Buckets, now: number): void {
    const model = this.modelOf(point.model);
    this.addTo(this.all, point, buckets, now);
    this.addTo(model.rings, point, buckets, now);
    if (point.templateId !== null) this.addTo(this.templateOf(model, point.templateId), point, buckets, now);
    if (this.bytes > this.maxBytes) this.forget();
  }

  get({ model, templateId }: MonitorScope): Rings | undefined {
    if (model === undefined) return this.all;
    const known = this.models.get(model);
    return templateId === undefined ? known?.rings : known?.templates.get(templateId);
  }

  /** Models, each followed by its templates. */
  scopes(): readonly MonitorScope[] {
    return [...this.models].flatMap(([model, { templates }]) => [
      { model },
      ...[...templates.keys()].map((templateId) => ({ model, templateId })),
    ]);
  }

  private addTo(rings: Rings, point: Point, buckets: Buckets, now: number): void {
    rings.usedAt = ++this.uses;
    const before = rings.bytes;
    rings.add(point, buckets, now);
    this.bytes += rings.bytes - before;
  }

  private modelOf(name: string): ModelSeries {
    let model = this.models.get(name);
    if (!model) {
      model = { rings: new Rings("model"), templates: new Map() };
      this.models.set(name, model);
      this.bytes += SERIES_BYTES;
    }
    return model;
  }

  private templateOf({ templates }: ModelSeries, id: string): Rings {
    let rings = templates.get(id);
    if (!rings) {
      rings = new Rings("template");
      templates.set(id, rings);
      this.bytes += SERIES_BYTES;
    }
    return rings;
  }

  /** Templates first, and models only when that is not enough. */
  private forget(): void {
    const templates = [...this.models.values()].flatMap((model) =>
      [...model.templates].map(([id, rings]) => ({ rings, end: () => model.templates.delete(id) })),
    );
    const models = [...this.models].map(([name, { rings }]) => ({
      rings,
      end: () => this.models.delete(name),
    }));
    for (const group of [templates, models]) {
      for (const { rings, end } of group.sort((a, b) => a.rings.usedAt - b.rings.usedAt)) {
        if (this.bytes <= KEPT * this.maxBytes) return;
        end();
        this.bytes -= rings.bytes + SERIES_BYTES;
        this.forgotten++;
      }
    }
  }
}
