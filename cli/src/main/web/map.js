// Layers × places: where anomalies, large values, little headroom or quantization errors are.
import { choice, h, number, visible } from "./dom.js";
import { scale } from "./colour.js";
import { cells, key, table } from "./chart.js";
import { SITES, siteName } from "./sites.js";
import { DEFINITIONS } from "./definitions.js";

/** @import { Run, View } from "./data.js" */

const LOG = new Set(["rms", "max |x|", "std", "accumulated error", "own error"]);

/**
 * @typedef {import("./data.js").Documents} Documents
 * @typedef {NonNullable<NonNullable<Documents["summary"]["activations"]>["places"]>[number]["stats"]} Stats
 * @typedef {{ layer: number | null, site: string, anomalies: number, found: Documents["summary"]["anomalies"]["list"],
 *   stats?: Stats, node?: Documents["diff"]["nodes"][number] }} Place with all that is known of it
 */

/** @param {{ min: number | null, max: number | null }} stats */
const largest = ({ min, max }) => (min === null || max === null ? null : Math.max(Math.abs(min), Math.abs(max)));

/**
 * Measures of places by name.
 *
 * @type {Record<string, (place: Place) => number | null | undefined>}
 */
const OF_PLACES = {
  anomalies: (place) => place.anomalies,
  rms: (place) => rms(place.stats?.aggregate),
  "max |x|": ({ stats }) => stats && largest(stats.aggregate),
  std: (place) => place.stats?.aggregate.std,
  headroom: (place) => place.stats?.headroom_bits,
  "NaN and Inf": (place) => place.stats && place.stats.aggregate.nan + place.stats.aggregate.inf,
  "accumulated error": (place) => place.node?.accumulated?.relative_l2,
  "own error": (place) => place.node?.local?.relative_l2,
  cosine: (place) => place.node?.accumulated?.cosine,
};

/** @param {{ count: number, nan: number, inf: number, l2: number | null } | null | undefined} stats */
export function rms(stats) {
  if (!stats) return null;
  const finite = stats.count - stats.nan - stats.inf;
  return finite > 0 && stats.l2 !== null ? stats.l2 / Math.sqrt(finite) : null;
}

/**
 * Places of a run by layer and site, with all that is known of each.
 *
 * @param {Run} run
 */
function placesOf(run) {
  /** @type {Map<string, Place>} */
  const places = new Map();
  /**
   * @param {number | null} layer
   * @param {string} site
   */
  const at = (layer, site) => {
    const name = layer + " " + site;
    const place = places.get(name) ?? { layer, site, anomalies: 0, found: [] };
    places.set(name, place);
    return place;
  };
  for (const place of run.of("summary")?.activations?.places ?? []) at(place.layer, place.site).stats = place.stats;
  for (const anomaly of run.of("summary")?.anomalies.list ?? []) {
    if (!anomaly.site) continue;
    const place = at(anomaly.layer, anomaly.site);
    place.anomalies += anomaly.repeats + 1;
    place.found.push(anomaly);
  }
  for (const node of run.of("diff")?.nodes ?? []) {
    if (!node.site || node.site === "other") continue;
    const place = at(node.layer, node.site);
    if (!place.node || (node.accumulated?.relative_l2 ?? 0) > (place.node.accumulated?.relative_l2 ?? 0)) place.node = node;
  }
  return [...places.values()];
}

/** @param {Run[]} runs */
function measuresOf(runs) {
  const all = runs.flatMap(placesOf);
  return Object.keys(OF_PLACES).filter((name) => all.some((place) => {
    const x = OF_PLACES[name](place);
    return x !== null && x !== undefined && (name !== "anomalies" || all.some((other) => other.stats));
  }));
}

/** @type {View} */
export const map = {
  id: "map",
  title: "Layers and places",
  hint: "Each cell is a place in the transformer: rows are layers, columns follow the graph from left to right. Yellow is large, dark blue is small; a cell opens its numbers.",
  has: (run) => placesOf(run).length > 0,
  controls(state, runs, redraw) {
    const names = measuresOf(runs);
    if (!names.includes(state.measure)) state.measure = names.includes("anomalies") && runs.some((run) => run.of("summary")?.anomalies.total) ? "anomalies" : names.find((name) => name !== "anomalies") ?? names[0];
    return [choice("Measure", names.map((name) => [name, name]), state.measure, (name) => { state.measure = name; redraw(); }),
      h("span", { className: "hint" }, DEFINITIONS[state.measure] ?? "")];
  },
  draw(run, state, redraw, { shown }) {
    const places = placesOf(run);
    const value = OF_PLACES[state.measure];
    const log = LOG.has(state.measure);
    const colours = scale(shown.flatMap(placesOf).map(value), { log, least: state.measure === "anomalies" ? 0 : null });
    const layers = [...new Set(places.map((place) => place.layer))].sort((a, b) => (a ?? 1e9) - (b ?? 1e9));
    const sites = SITES.filter((site) => places.some((place) => place.site === site));
    const open = places.find((place) => place.layer + " " + place.site === state.open);
    return h("div", {},
      key(state.measure, colours),
      h("div", { className: "wide" }, cells({
        name: "Layers by places: " + state.measure, corner: "layer", rows: layers.map((layer) => ({ name: layer === null ? "end" : layer < 0 ? "start" : String(layer) })), columns: sites,
        cell(r, c) {
          const place = places.find((p) => p.layer === layers[r] && p.site === sites[c]);
          if (!place) return null;
          const x = value(place);
          const name = place.layer + " " + place.site;
          return {
            text: number(x, 2), share: x === null || x === undefined ? null : colours.share(x), key: "place " + name, chosen: state.open === name,
            tip: siteName(place.layer, place.site) + "\n" + told(place), act: () => { state.open = name; redraw(true); },
          };
        },
      })),
      open ? detail(open) : null);
  },
  rows(run) {
    const names = Object.keys(OF_PLACES);
    return [["layer", "site", ...names], ...placesOf(run).map((place) => [place.layer, place.site, ...names.map((name) => OF_PLACES[name](place) ?? null)])];
  },
};

/** @param {Place} place */
function told(place) {
  return Object.entries(OF_PLACES).map(([name, of]) => [name, of(place)]).filter(([, x]) => x !== null && x !== undefined)
    .map(([name, x]) => name + ": " + number(x, 4)).join("\n");
}

/** @param {Place} place */
function detail({ layer, site, stats, node, found }) {
  /** @type {[string, Stats["aggregate"] | null][]} */
  const passes = stats ? [["first pass", stats.first], ["last pass", stats.last], ["all passes", stats.aggregate]] : [];
  const shown = passes.flatMap(([name, of]) => (of ? [{ name, of }] : []));
  return h("div", { className: "detail" }, h("h3", {}, siteName(layer, site)),
    stats && table(["", ...shown.map(({ name }) => name)],
      /** @type {const} */ (["count", "min", "max", "mean", "std", "l2", "nan", "inf", "zero"]).map((field) => [field, ...shown.map(({ of }) => of[field])])),
    node && table(["error", "accumulated", "own"], /** @type {const} */ (["relative_l2", "cosine", "snr_db", "mse", "max_abs"]).map((field) =>
      [field, node.accumulated?.[field], node.local?.[field]])),
    node?.weight && h("p", {}, "weight " + visible(node.weight) + ", " + node.type),
    found.map((anomaly) => h("p", {}, anomaly.severity + ": " + visible(anomaly.message, 400))));
}
