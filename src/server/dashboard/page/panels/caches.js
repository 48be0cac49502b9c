/** What is answered again: whole replies by this server, heads of prompts by Ollama. */
import { h } from "../dom.js";
import { count, duration, inWords, money, percent } from "../format.js";
import { reported } from "../panel.js";
import { tiles } from "../tiles.js";

/** @typedef {Readonly<Record<string, number | null>>} Figures */
/**
 * Of `/optimization/cache-stats`.
 *
 * @typedef {{ readonly enabled: boolean, readonly cache: Figures, readonly performance_impact: Figures, readonly prefix_cache: Figures }} CacheStatistics
 */

const EVERY_MS = 10_000;

/** Tiles by their figure; others of the cache are listed below by their own names. */
const SHOWN = ["hit_rate_percent", "hits", "misses", "size", "max_size", "ttl_seconds"];

/** @type {import("../panel.js").Panel} */
export default {
  title: "Caches",
  place: 110,
  wide: true,
  mount(body, server) {
    const replies = tiles([
      "Hit rate",
      "Hits",
      "Misses",
      "Entries",
      "Entries at most",
      "Kept for",
      "Time saved",
      "Cost saved",
    ]);
    const more = h("dl", { class: "facts" });
    const none = h("p", { class: "empty" }, "This server keeps no replies: it was started without --cache.");
    const prefix = tiles(["Prompt tokens", "From the prefix cache", "Share"]);
    body.append(
      h(
        "div",
        { class: "beside" },
        h("div", {}, h("h3", {}, "Replies, by this server"), none, replies.element, more),
        h("div", {}, h("h3", {}, "Heads of prompts, by Ollama, last 24 hours"), prefix.element),
      ),
    );
    return reported(
      server,
      body,
      () => "/optimization/cache-stats",
      ({ enabled, cache, performance_impact: saved, prefix_cache: heads }) => {
        none.hidden = enabled;
        replies.element.hidden = !enabled;
        more.hidden = !enabled;
        replies.show([
          percent((cache.hit_rate_percent ?? 0) / 100),
          count(cache.hits),
          count(cache.misses),
          count(cache.size),
          count(cache.max_size),
          cache.ttl_seconds === null ? "ever" : duration(1_000 * (cache.ttl_seconds ?? Number.NaN)),
          duration(1_000 * (saved.time_saved_estimate_seconds ?? Number.NaN)),
          money(saved.cost_saved_usd, "USD"),
        ]);
        more.replaceChildren(
          ...Object.entries(cache)
            .filter(([name]) => !SHOWN.includes(name))
            .flatMap(([name, value]) => [
              h("dt", {}, inWords(name)),
              h("dd", {}, typeof value === "number" ? count(value) : String(value)),
            ]),
        );
        const { prompt_tokens: read, cached_tokens: known } = heads;
        prefix.show([count(read), count(known), percent(read ? (known ?? 0) / read : null)]);
        return "";
      },
      EVERY_MS,
    );
  },
};
