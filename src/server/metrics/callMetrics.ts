/** `GET /metrics`: what the calls of this process cost, for Prometheus. */
import type { CacheStatistics } from "../../cache/index.js";
import type { Activity, FinishedCall } from "../activity.js";
import { Counter, type Family, Gauge, Histogram } from "./family.js";

/** Models beyond these are one, "other": a client may invent names without end. */
const MOST_MODELS = 50;
const DURATION_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const FIRST_TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const PREFIX = "ollama_optimizer_";

export class CallMetrics {
  private readonly models = new Set<string>();
  private readonly calls = counter("calls_total", "Calls that ended, by HTTP status.", [
    "model",
    "surface",
    "status",
  ]);
  private readonly errors = counter("errors_total", "Calls that failed, by code.", ["model", "code"]);
  private readonly duration = new Histogram(
    named("call_duration_seconds", "From the request to the end of its reply; not of cached ones.", [
      "model",
      "surface",
    ]),
    DURATION_SECONDS,
  );
  private readonly firstToken = new Histogram(
    named("time_to_first_token_seconds", "From the request to the first output.", ["model", "surface"]),
    FIRST_TOKEN_SECONDS,
  );
  private readonly promptTokens = counter("prompt_tokens_total", "Prompt tokens as Ollama counted them.", [
    "model",
  ]);
  private readonly cachedTokens = counter("cached_tokens_total", "Of them, from the prefix cache.", [
    "model",
  ]);
  private readonly outputTokens = counter("output_tokens_total", "Tokens of replies.", ["model"]);
  private readonly decisions = counter("decisions_total", "What was done about the window.", [
    "model",
    "action",
  ]);
  private readonly reloads = counter("reloads_total", "Calls for which Ollama loaded the model.", ["model"]);
  private readonly loadSeconds = counter("load_seconds_total", "Time of these loads.", ["model"]);
  private readonly retries = counter("retries_total", "Requests sent again with another window.", ["model"]);
  private readonly cuts = counter(
    "cuts_prevented_total",
    "Prompts longer than the client's window, or Ollama's default of 4096, that were not cut.",
    ["model"],
  );
  private readonly queued = new Histogram(
    named("queue_wait_seconds", "Of calls that waited for their turn."),
    FIRST_TOKEN_SECONDS,
  );
  private readonly gauges: readonly Family[];

  /** @param cache hits and misses of a cache of replies, where there is one */
  constructor(activity: Activity, cache?: Pick<CacheStatistics, "hits" | "misses">) {
    activity.subscribe((event) => {
      if (event.type === "ended") this.count(event.call);
    });
    this.gauges = [
      new Gauge(named("calls_running", "Calls under way."), () => activity.runningCount()),
      new Gauge(named("queue_waiting", "Calls that wait for their turn."), () => activity.queue().waiting),
      new Gauge(named("queue_limit", "Calls that may wait for one model."), () => activity.queue().limit),
      ...(cache ? ofTheCache(cache) : []),
      ...ofTheProcess(),
    ];
  }

  text(): string {
    const families: readonly Family[] = [
      this.calls,
      this.errors,
      this.duration,
      this.firstToken,
      this.promptTokens,
      this.cachedTokens,
      this.outputTokens,
      this.decisions,
      this.reloads,
      this.loadSeconds,
      this.retries,
      this.cuts,
      this.queued,
      ...this.gauges,
    ];
    return families.map((family) => family.text()).join("");
  }

  private count(call: FinishedCall): void {
    const model = this.modelOf(call);
    this.calls.add([model, call.surface, String(call.status)]);
    if (call.errorCode !== null) this.errors.add([model, call.errorCode]);
    if (call.action !== null) this.decisions.add([model, call.action]);
    if (call.cached) return;
    this.duration.observe([model, call.surface], call.durationMs / 1_000);
    if (call.timeToFirstTokenMs !== null) {
      this.firstToken.observe([model, call.surface], call.timeToFirstTokenMs / 1_000);
    }
    // A prompt's size before its reply is the optimizer's own count.
    if (call.errorCode === null) this.promptTokens.add([model], call.promptTokens ?? 0);
    this.cachedTokens.add([model], call.cachedTokens ?? 0);
    this.outputTokens.add([model], call.outputTokens ?? 0);
    this.retries.add([model], call.retries);
    this.cuts.add([model], Number(call.cutPrevented));
    if (call.reloaded) {
      this.reloads.add([model]);
      this.loadSeconds.add([model], (call.loadMs ?? 0) / 1_000);
    }
    if (call.queuedMs > 0) this.queued.observe([], call.queuedMs / 1_000);
  }

  /** A model that answered keeps its name; names of models that there are not share one. */
  private modelOf({ model, status }: FinishedCall): string {
    if (this.models.has(model)) return model;
    if (status === 404 || this.models.size >= MOST_MODELS) return "other";
    this.models.add(model);
    return model;
  }
}

function ofTheCache(cache: Pick<CacheStatistics, "hits" | "misses">): readonly Family[] {
  const hits = named("cache_hits_total", "Calls that were answered from the cache of replies.");
  const misses = named("cache_misses_total", "Calls that were looked for there in vain.");
  return [new Gauge(hits, () => cache.hits, "counter"), new Gauge(misses, () => cache.misses, "counter")];
}

/** The names that Prometheus client libraries give them. */
function ofTheProcess(): readonly Family[] {
  const started = Date.now() / 1_000 - process.uptime();
  return [
    new Gauge({ name: "process_resident_memory_bytes", help: "Memory of this process." }, () =>
      process.memoryUsage.rss(),
    ),
    new Gauge(
      { name: "process_cpu_seconds_total", help: "Time on the processor." },
      () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
      "counter",
    ),
    new Gauge({ name: "process_start_time_seconds", help: "Since 1970." }, () => started),
  ];
}

function named(name: string, help: string, labels?: readonly string[]) {
  return { name: PREFIX + name, help, labels };
}

function counter(name: string, help: string, labels: readonly string[]): Counter {
  return new Counter(named(name, help, labels));
}
