// Sparse attention: what indexers select and what that is worth; what selections would cost.
import { choice, h, number, percent, tokenLabel, visible } from "./dom.js";
import { rgb, scale } from "./colour.js";
import { cells, key, lines, table } from "./chart.js";
import { blockName } from "./data.js";
import { zoomable } from "./matrix.js";
import { shapes } from "./shapes.js";
import { DEFINITIONS } from "./definitions.js";

/** @import { Run, State, View } from "./data.js" */

/** @type {("recall" | "best" | "chance" | "recency_recall" | "overlap" | "auc" | "divergence")[]} */
const WORTH = ["recall", "best", "chance", "recency_recall", "overlap", "auc", "divergence"];

/**
 * @typedef {import("./data.js").Documents["sparse"]} Sparse
 * @typedef {NonNullable<Sparse["indexer"]>} Indexer
 * @typedef {NonNullable<Sparse["policies"]>} Policies
 */

/** @param {Run} run */
const indexerOf = (run) => run.of("sparse")?.indexer ?? null;

/**
 * What the indexers are worth, layer by layer; a run that was traced tells less than `sparse`.
 *
 * @param {Run} run
 */
const worthOf = (run) => indexerOf(run) ?? run.of("summary")?.indexer ?? null;

/** @param {Run} run */
const policiesOf = (run) => run.of("sparse")?.policies ?? null;
/** @param {Run} run */
const layersOf = (run) => worthOf(run)?.layers.map((layer) => layer.layer) ?? run.selections?.layers.map((layer) => layer.layer) ?? [];

/** @type {View} */
export const sparse = {
  id: "sparse",
  title: "Sparse attention",
  hint: "Which earlier tokens each query keeps: rows are queries, columns keys, dots what is selected. Recall near the best says that the indexer finds what attention wants; recall near chance that it finds nothing.",
  has: (run) => worthOf(run) !== null || policiesOf(run) !== null || run.selections !== null,
  controls(state, runs, redraw) {
    const layers = [...new Set(runs.flatMap(layersOf))].sort((a, b) => a - b);
    if (!layers.length) return [];
    if (!layers.includes(state.layer)) state.layer = layers[0];
    const names = [...new Set(runs.flatMap((run) => Object.keys(mapOf(run, state)?.measures ?? {})))];
    if (!names.includes(state.measure)) state.measure = names.includes("score") ? "score" : names[0];
    return [
      choice("Layer", layers.map((layer) => [String(layer), String(layer)]), String(state.layer), (layer) => { state.layer = Number(layer); redraw(); }),
      names.length ? choice("Colour", names.map((name) => [name, name]), state.measure, (name) => { state.measure = name; redraw(); }) : "",
      h("span", { className: "hint" }, DEFINITIONS[state.measure] ?? "")];
  },
  draw(run, state) {
    return h("div", {}, worth(worthOf(run)), details(indexerOf(run), state), map(run, state), policies(policiesOf(run)), shapes(run.of("sparse")?.patterns), lengths(run));
  },
  rows(run) {
    const policies = policiesOf(run);
    const patterns = run.of("sparse")?.patterns;
    return [["what", "layer", "head", "policy", "budget", ...WORTH, "mass", "kept"],
      ...(worthOf(run)?.layers ?? []).map((layer) => ["indexer", layer.layer, null, null, layer.top_k, ...WORTH.map((name) => layer[name]), null, null]),
      ...(policies?.layers ?? []).map((layer) => ["recommended", layer.layer, null, layer.policy, layer.budget, ...WORTH.map(() => null), layer.predicted_recall, layer.saved === null ? null : 1 - layer.saved]),
      ...(policies?.heads ?? []).flatMap((head) => head.kept.map((kept) => ["policy", head.layer, head.head, kept.policy, kept.budget, ...WORTH.map(() => null), kept.mass, kept.kept])),
      ...(patterns?.heads ?? []).flatMap((head) => head.efficiency.map((each) => ["shape", head.layer, head.head, head.kind, null, ...WORTH.map(() => null), each.mass, each.share]))];
  },
};

/**
 * @param {Run} run
 * @param {State} state
 */
function mapOf(run, state) {
  return run.selections?.layers.find((layer) => layer.layer === state.layer) ?? null;
}

/** @param {ReturnType<typeof worthOf>} found */
function worth(found) {
  if (!found) return null;
  return h("div", {},
    found.not_exercised ? h("p", { className: "answer warn" }, visible(found.not_exercised, 300)) : null,
    h("div", { className: "wide" }, table(["layer", "k", "queries", "recall", "best", "chance", "recent", "overlap", "AUC", "KL, nats"], found.layers.map((each) =>
      [each.layer, each.top_k, each.exercised, ...WORTH.map((name) => each[name])]))),
    found.layers.map((each) => (each.absent ? h("p", { className: "hint" }, "Layer " + each.layer + ": " + visible(each.absent, 300)) : null)));
}

/**
 * @param {Indexer | null} found
 * @param {State} state
 */
function details(found, state) {
  const layer = found?.layers.find((each) => each.layer === state.layer);
  if (!found || !layer) return null;
  return h("div", {},
    found.layers.map((each) => (each.diagnosis?.mistake ? h("p", { className: "bad" }, "Layer " + each.layer + ": recall " + number(each.diagnosis.recall) + "; " + number(each.diagnosis.recall_undone) +
      " once this mistake is undone: " + each.diagnosis.mistake.replaceAll("_", " ")) : null)),
    lines(/** @type {const} */ (["recall", "best", "chance"]).map((name) => ({ name, points: layer.recall_by_length.map((bin) => [bin.from, bin[name]]) })), { x: "visible keys, from", y: "attention mass", height: 170 }),
    layer.contrasts.length ? [h("h3", {}, "Layer " + layer.layer + ": heads over all keys and over the selected ones"), h("div", { className: "wide" }, table(
      ["head", "recall", "entropy, nats", "selected", "sink", "selected", "mass that moves"], layer.contrasts.map((head) =>
        [head.head, head.recall, head.entropy, head.entropy_selected, head.sink, head.sink_selected, head.moved])))] : null,
    overlap(found));
}

/**
 * The same prompts cut at several lengths.
 *
 * @param {Run} run
 */
function lengths(run) {
  const found = run.of("sparse")?.lengths ?? [];
  if (found.length < 2) return null;
  const layers = found[0].layers.map((layer) => layer.layer);
  return h("div", {}, h("h3", {}, "Prompts cut at several lengths"),
    lines(layers.map((layer, i) => ({ name: "layer " + layer, points: found.map((cut) => [cut.length, cut.layers[i]?.recall]) })), { x: "tokens", y: "recall" }) ??
      lines(layers.map((layer, i) => ({ name: "layer " + layer, points: found.map((cut) => [cut.length, cut.layers[i]?.entropy]) })), { x: "tokens", y: "entropy over all keys, nats" }));
}

/**
 * Share of one layer's selection that is in another's.
 *
 * @param {Indexer} found
 */
function overlap(found) {
  const shares = found.layer_overlap;
  if (!shares || found.layers.length < 2) return null;
  const names = found.layers.map((layer) => String(layer.layer));
  const colours = scale(shares.flat(), { least: 0, largest: 1 });
  return h("div", {}, h("h3", {}, "Selections that layers share"), key("share of the row's selection", colours), h("div", { className: "wide" }, cells({
    name: "Overlap of selections", corner: "layer", rows: names, columns: names,
    cell(r, c) {
      const x = shares[r][c];
      return { text: number(x, 2), share: x === null ? null : colours.share(x), key: "layers " + names[r] + " " + names[c], tip: percent(x) + " of the selection of layer " + names[r] + " is in that of layer " + names[c] };
    },
  })));
}

/**
 * @param {Run} run
 * @param {State} state
 */
function map(run, state) {
  const layer = mapOf(run, state);
  const value = layer?.measures[state.measure];
  if (!run.selections || !layer || !value) return null;
  const { shape, left } = run.selections;
  /** @param {number} block */
  const name = (block) => blockName(run, shape, block, tokenLabel);
  const all = [];
  for (let q = 0; q < shape.side; q++) for (let k = 0; k <= q; k++) all.push(value(q, k));
  const colours = scale(all, state.measure === "score" ? {} : { least: 0 });
  const kept = layer.measures.selected;
  return h("div", { data: { selection: layer.layer } },
    h("h3", {}, "Layer " + layer.layer + ": " + state.measure + ", " + layer.top_k + " keys of each query selected"),
    key(state.measure, colours),
    zoomable({
      side: shape.side, name, key: "selection " + layer.layer, label: "Selection of keys by query",
      // Weights as everywhere: by their roots, so that small ones keep their size.
      pixel: (q, k) => rgb((colours.share(value(q, k)) ?? 0) ** (state.measure.startsWith("attention") ? 0.5 : 1)),
      dotted: state.measure === "selected" ? undefined : (q, k) => kept(q, k) >= 0.5,
      words: (q, k) => (k > q ? name(q) + " does not see " + name(k)
        : name(q) + " (" + shape.range(q)[0] + ") and " + name(k) + " (" + shape.range(k)[0] + "): " +
          Object.entries(layer.measures).map(([each, of]) => each + " " + number(of(q, k), 3)).join(", ")),
    }),
    shape.pool > 1 ? h("p", { className: "hint" }, "Of " + shape.positions + " positions " + shape.pool + " each are taken together.") : null,
    left ? h("p", { className: "hint" }, number(left) + " queries have no row here: they were not read, or do not see all positions before them.") : null);
}

/** @param {Policies | null} found */
function policies(found) {
  if (!found) return null;
  const kinds = [...new Set(found.heads.flatMap((head) => head.kept.map((kept) => kept.policy)))];
  /**
   * @param {string} policy
   * @param {number} budget
   */
  const mean = (policy, budget) => {
    const all = found.heads.flatMap((head) => head.kept.filter((kept) => kept.policy === policy && kept.budget === budget)).flatMap((kept) => (kept.mass === null ? [] : [kept.mass]));
    return all.length ? all.reduce((a, b) => a + b) / all.length : null;
  };
  const v = found.verification;
  return h("div", {},
    h("h3", {}, "What keeping some keys only would cost"),
    lines(kinds.map((kind) => ({ name: kind.replaceAll("_", " "), points: found.budgets.map((budget) => [budget, mean(kind, budget)]) })), { x: "keys kept", y: "attention mass kept, mean of heads" }),
    h("div", { className: "wide" }, table(["layer", "recommended", "keys", "mass kept", "keys saved"], found.layers.map((layer) =>
      [layer.layer, layer.policy?.replaceAll("_", " ") ?? "dense", layer.budget, layer.predicted_recall, percent(layer.saved)]))),
    v && h("p", {}, "Repeated under what is recommended: mean KL " + number(v.kl_mean) + " nats (largest " + number(v.kl_max) + "), same first token at " + percent(v.same_top1) + " of " + number(v.positions) + " positions"),
    needed(found));
}

/**
 * Share of the visible keys that hold 95 % of the mass, head by head.
 *
 * @param {Policies} found
 */
function needed(found) {
  const layers = [...new Set(found.heads.map((head) => head.layer))];
  const widest = found.heads.reduce((most, head) => Math.max(most, head.head), 0) + 1;
  /** @param {Policies["heads"][number]} head */
  const share = (head) => head.needed["95"] ?? null;
  const colours = scale(found.heads.map(share), { least: 0, largest: 1 });
  const at = new Map(found.heads.map((head) => [head.layer + "." + head.head, head]));
  return h("div", {}, h("h3", {}, "Keys that each head needs for 95 % of its mass"), key("share of visible keys", colours), h("div", { className: "wide" }, cells({
    name: "Keys needed", corner: "layer", rows: layers, columns: Array.from({ length: widest }, (_, i) => String(i)),
    cell(r, c) {
      const head = at.get(layers[r] + "." + c);
      return head ? { text: number(share(head), 2), share: colours.share(share(head)), key: "head " + layers[r] + "." + c,
        tip: "L" + head.layer + "H" + head.head + "\n" + Object.entries(head.needed).map(([mass, x]) => mass + " % of the mass: " + percent(x) + " of the keys").join("\n") + "\n" + number(head.rows) + " rows" } : null;
    },
  })));
}
