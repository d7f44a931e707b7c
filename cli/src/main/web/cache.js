// The KV cache, step by step.
import { h, number, percent } from "./dom.js";
import { lines, table } from "./chart.js";

/** @import { View } from "./data.js" */

/** @type {View} */
export const cache = {
  id: "cache",
  title: "KV cache",
  hint: "Cells in use after each pass, of all there are; a drop is an eviction. With --kv-stats the table says what keys and values hold, and which cells are poisoned.",
  has: (run) => (run.of("summary")?.kv_cache?.last_steps?.length ?? 0) > 0,
  draw(run) {
    const found = run.the("summary").kv_cache;
    const steps = found?.last_steps ?? [];
    if (!found) return h("p", {});
    const contents = found.analysis?.contents;
    return h("div", {},
      lines([{ name: "cells in use", points: steps.map((step) => [step.step, step.cells_used]) },
        { name: "cells there are", points: steps.map((step) => [step.step, step.capacity]) }], { x: "step", y: "cells" }),
      h("p", {}, number(found.peak_cells) + " cells at most, " + number(found.peak_bytes) + " bytes; " + number(found.evictions) + " evicted; hit rate " + percent(found.hit_rate) +
        (found.thrashing ? "; thrashing" : "")),
      contents ? h("div", { className: "wide" }, table(["layer", "part", "type", "cells", "min", "max", "mean", "std", "NaN", "Inf"], contents.layers.map((layer) =>
        [layer.layer, layer.part, layer.type, layer.cells, layer.stats.min, layer.stats.max, layer.stats.mean, layer.stats.std, layer.stats.nan, layer.stats.inf]))) : null,
      contents ? h("p", { className: contents.poisoned_cells ? "bad" : "good" }, number(contents.poisoned_cells) + " cells are poisoned") : null);
  },
  rows: (run) => [["step", "cells_used", "capacity", "evictions", "hit_rate", "fragmentation"],
    ...(run.the("summary").kv_cache?.last_steps ?? []).map((step) => [step.step, step.cells_used, step.capacity, step.evictions, step.hit_rate, step.fragmentation])],
};
