// What heads have in common: patterns, clusters, redundancy, what might be pruned.
import { h, number, percent, s, visible } from "./dom.js";
import { colour, label, scale } from "./colour.js";
import { key, table } from "./chart.js";
import { dendrogram } from "./dendrogram.js";

/** @import { View } from "./data.js" */

/**
 * @typedef {import("./data.js").Documents["attention"]} Attention
 * @typedef {Attention["head_specialization"]["redundancy_analysis"]} Redundancy
 */

/** @param {{ layer: number, head: number } | null | undefined} id */
const headName = (id) => (id ? "L" + id.layer + "H" + id.head : "–");

/** @type {View} */
export const patterns = {
  id: "patterns",
  title: "Patterns and redundancy",
  hint: "Which heads follow a pattern, and which do the same as another. In the tree heads that attend alike join far to the left; in the matrix a bright square is a pair that is alike. Correlational, until an ablation confirms it.",
  has: (run) => Object.keys(run.of("attention")?.attention_weights ?? {}).length > 0,
  draw(run) {
    const attention = run.the("attention");
    const found = attention.attention_patterns;
    const rows = patternRows(found);
    const redundancy = attention.head_specialization.redundancy_analysis;
    return h("div", {},
      rows.length ? h("div", { className: "wide" }, table(["pattern", "head", "where", "strength", "rows"], rows.map((row) => row.slice(0, 5)))) : h("p", {}, "No head follows a pattern beyond chance."),
      clusters(attention),
      tree(attention.head_specialization.head_tree, attention.head_specialization.head_clusters),
      pairs(redundancy),
      pruning(redundancy));
  },
  rows: (run) => [["pattern", "head", "where", "strength", "rows"], ...patternRows(run.the("attention").attention_patterns),
    ...run.the("attention").head_specialization.redundancy_analysis.redundant_pairs.map((pair) =>
      ["redundant " + pair.redundancy_type, headName(pair.head1), headName(pair.head2), pair.similarity, pair.rows])],
};

/**
 * @param {Attention["attention_patterns"]} found
 * @returns {(string | number | null)[][]}
 */
function patternRows(found) {
  return [
    ...found.diagonal_patterns.map((p) => ["diagonal", headName(p.layer_head), p.offset + " back, " + percent(p.coverage) + " of rows", p.strength, p.rows]),
    ...found.vertical_patterns.map((p) => ["vertical", headName(p.layer_head), "position " + p.target_position, p.strength, p.rows]),
    ...found.block_patterns.map((p) => ["block", headName(p.layer_head), p.segments + " segments", p.internal_strength, p.rows]),
    ...found.repetitive_patterns.map((p) => ["repetitive", headName(p.layer_head), "period " + p.period, p.strength, p.rows])];
}

/** @param {Attention} attention */
function clusters(attention) {
  const found = attention.head_specialization.head_clusters;
  if (!found.length) {
    const why = attention.absent["head_specialization.head_clusters"];
    return why ? h("p", { className: "hint" }, "Clusters: " + visible(why, 300)) : null;
  }
  return h("div", {}, h("h3", {}, "Clusters"), table(["cluster", "label", "cohesion", "heads"], found.map((cluster) =>
    [cluster.cluster_id, label(cluster.specialization)[1], cluster.cohesion, cluster.heads.map(headName).join(" ")])));
}

/**
 * Average linkage drawn as a tree; `merges` join items, then what was joined, by number.
 *
 * @param {Attention["head_specialization"]["head_tree"]} found
 * @param {Attention["head_specialization"]["head_clusters"]} groups
 */
function tree(found, groups) {
  if (!found?.merges?.length) return null;
  const width = 720, left = 70, top = 10, row = 14;
  const { leaves, joins, reach } = dendrogram(found, row);
  /** @param {number} distance */
  const x = (distance) => left + (distance / (reach || 1)) * (width - left - 20);
  const clusterOf = new Map(groups.flatMap((group) => group.heads.map((head) => [headName(head), group.cluster_id])));
  const height = top + row * leaves.length;
  return h("div", {}, h("h3", {}, "Heads that attend alike"), h("div", { className: "wide" },
    s("svg", { class: "chart", viewBox: `0 0 ${width} ${height + 20}`, width, height: height + 20, role: "img", "aria-label": "Dendrogram of " + leaves.length + " heads" },
      ...leaves.map(({ head, y }) => s("text", { x: left - 6, y: top + y + 4, "text-anchor": "end", "font-size": 11, "data-key": "head " + head.layer + "." + head.head,
        tip: headName(head) + (clusterOf.has(headName(head)) ? "\ncluster " + clusterOf.get(headName(head)) : "") }, headName(head))),
      ...joins.map(({ one, other, reach: far }) => s("path", {
        d: `M${x(one.reach)} ${top + one.middle}H${x(far)}V${top + other.middle}H${x(other.reach)}`, fill: "none", stroke: "var(--one)", "stroke-width": 1.5,
        tip: "joined at a distance of " + number(far) + " nats" })),
      s("text", { class: "axis", x: width - 20, y: height + 12, "text-anchor": "end" }, "Jensen–Shannon divergence, up to " + number(reach) + " nats"))));
}

/** @param {Redundancy} redundancy */
function pairs(redundancy) {
  const found = redundancy.redundant_pairs;
  if (!found.length) return h("p", { className: "hint" }, "No two heads are redundant (" + number(redundancy.rows) + " rows compared).");
  const names = [...new Map(found.flatMap((pair) => [pair.head1, pair.head2]).map((id) => [headName(id), id])).entries()]
    .sort(([, a], [, b]) => a.layer - b.layer || a.head - b.head).map(([name]) => name);
  const size = Math.max(5, Math.min(16, 600 / names.length));
  const left = 56;
  const colours = scale(found.map((pair) => pair.similarity), { least: 0, largest: 1 });
  const parts = names.map((name, i) => s("text", { class: "axis", x: left - 4, y: 10 + i * size + size * 0.8, "text-anchor": "end", "font-size": Math.min(11, size) }, name));
  for (const pair of found) {
    const a = names.indexOf(headName(pair.head1)), b = names.indexOf(headName(pair.head2));
    for (const [r, c] of [[a, b], [b, a]]) {
      parts.push(s("rect", { x: left + c * size, y: 10 + r * size, width: size - 1, height: size - 1, fill: colour(colours.share(pair.similarity)),
        "data-key": "pair " + names[a] + names[b],
        tip: names[r] + " and " + names[c] + ": " + pair.redundancy_type + "\nsimilarity " + number(pair.similarity) + "\ncorrelation " + number(pair.correlation) + "\nCKA of outputs " + number(pair.cka) }));
    }
  }
  const width = left + names.length * size + 20;
  return h("div", {}, h("h3", {}, "Redundant pairs: " + number(redundancy.redundant_pairs_total)), key("similarity", colours), h("div", { className: "wide" },
    s("svg", { viewBox: `0 0 ${width} ${names.length * size + 20}`, width, height: names.length * size + 20, role: "img", "aria-label": "Redundancy of pairs of heads" }, ...parts)));
}

/** @param {Redundancy} redundancy */
function pruning(redundancy) {
  const found = redundancy.pruning_recommendations;
  if (!found.length) return null;
  return h("div", {}, h("h3", {}, "What might be pruned"), h("div", { className: "wide" }, table(["heads", "verdict", "risk", "share of the residual", "bytes", "why"], found.slice(0, 60).map((p) => [
    p.heads.map(headName).join(" "), p.verdict.replaceAll("_", " "), p.expected_impact.risk_level, percent(p.expected_impact.residual_share),
    p.expected_impact.memory_savings, visible(p.reason, 300)]))));
}
