// How attention carries tokens to the last position: strongest paths and rollout.
import { h, number, percent, s, tokenLabel, visible } from "./dom.js";
import { table } from "./chart.js";
import { sankey } from "./sankey.js";

/** @import { Run, View } from "./data.js" */

/**
 * @typedef {import("./data.js").Documents["attention"]} Attention
 *
 * @param {Run} run
 * @param {number} position
 */
const tokenAt = (run, position) => tokenLabel(run.the("attention").rollout.tokens.find((token) => token.position === position)?.token ?? String(position), 18);

/** @type {View} */
export const flow = {
  id: "flow",
  title: "Flow",
  hint: "What the last position, on the right, is made of when attention is followed back through all layers to the tokens on the left. As much leaves a token as enters it, and a column is the whole; below, the bars are the left column token by token.",
  has: (run) => (run.of("attention")?.attention_flow.flow_paths.length ?? 0) > 0 || (run.of("attention")?.rollout.tokens.length ?? 0) > 0,
  draw(run) {
    const attention = run.the("attention");
    return h("div", {}, bands(run, attention.attention_flow.token_flow), rollout(attention.rollout), paths(run, attention.attention_flow),
      attention.attention_flow.reason ? h("p", { className: "hint" }, visible(attention.attention_flow.reason, 300)) : null,
      attention.attention_flow.bottlenecks.map((b) => h("p", {}, "Bottleneck in layer " + b.layer + ": " + b.bottleneck_type + ", severity " + number(b.severity))));
  },
  rows(run) {
    const attention = run.the("attention");
    return [["what", "path", "layer", "head", "from", "to", "strength"],
      ...(attention.attention_flow.token_flow?.layers ?? []).flatMap(({ layer, links }) => links.map((link) => ["flow", null, layer, null, link.from ?? "others", link.to ?? "others", link.share])),
      ...attention.attention_flow.flow_paths.flatMap((path) => path.flow_steps.map((step) =>
        ["step", path.path_id, step.layer, step.head, step.involved_tokens[0], step.involved_tokens[step.involved_tokens.length - 1], step.strength])),
      ...attention.rollout.tokens.map((token) => ["rollout", token.token, null, null, token.position, attention.rollout.target, token.attribution])];
  },
};

const COLOURS = ["var(--one)", "var(--two)", "var(--three)", "var(--four)", "var(--five)"];

/**
 * All of the target's rollout, layer by layer.
 *
 * @param {Run} run
 * @param {Attention["attention_flow"]["token_flow"]} found
 */
function bands(run, found) {
  if (!found) return null;
  const left = 150, right = 24, top = 22, columnWidth = Math.max(110, 660 / found.layers.length), node = 8;
  const { nodes, bands, height } = sankey(found, 260, 12);
  const width = left + right + columnWidth * found.layers.length;
  /** @param {number} column */
  const x = (column) => left + columnWidth * column;
  /** @param {number | null} position */
  const named = (position) => (position === null ? "all other tokens" : "“" + tokenAt(run, position) + "” " + position);
  /** @param {number | null} position */
  const colour = (position) => (position === null ? "var(--quiet)" : COLOURS[found.positions.indexOf(position) % COLOURS.length]);
  const parts = bands.map((band) => {
    const x0 = x(band.column) + node, x1 = x(band.column + 1), middle = (x0 + x1) / 2;
    const y0 = top + band.left, y1 = top + band.right;
    return s("path", {
      d: `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}v${band.height}C${middle} ${y1 + band.height} ${middle} ${y0 + band.height} ${x0} ${y0 + band.height}Z`,
      fill: colour(band.from), "fill-opacity": 0.45, "data-key": "flow " + band.layer + " " + band.from + " " + band.to, "data-share": band.share,
      tip: "layer " + band.layer + ": " + (band.from === band.to ? "stays with " + named(band.to) : "from " + named(band.from) + " to " + named(band.to)) + "\n" + percent(band.share) + " of all",
    });
  });
  for (const each of nodes) {
    parts.push(s("rect", {
      x: x(each.column), y: top + each.y, width: node, height: Math.max(0.5, each.height), fill: colour(each.position), "data-key": "position " + each.position,
      "data-node": each.column + " " + each.position, "data-share": each.share,
      tip: named(each.position) + "\n" + percent(each.share) + " of all, " + (each.column ? "above layer " + found.layers[each.column - 1].layer : "below the first layer"),
    }));
    if (each.column === 0) {
      parts.push(s("text", { x: left - 6, y: top + each.y + each.height / 2 + 4, "text-anchor": "end" },
        each.position === null ? "all others" : tokenAt(run, each.position) + "  " + each.position));
    }
  }
  found.layers.forEach(({ layer }, d) => parts.push(s("text", { class: "axis", x: (x(d) + node + x(d + 1)) / 2, y: 12, "text-anchor": "middle" }, "layer " + layer)));
  return h("div", { className: "wide" }, s("svg", { class: "chart", viewBox: `0 0 ${width} ${top + height + 8}`, width, height: top + height + 8, role: "img",
    "aria-label": "Flow of attention from tokens on the left through " + found.layers.length + " layers to position " + found.target }, ...parts));
}

/**
 * The strongest single ways; most of a flow goes by others.
 *
 * @param {Run} run
 * @param {Attention["attention_flow"]} found
 */
function paths(run, found) {
  if (!found.flow_paths.length) return null;
  return h("details", {}, h("summary", {}, "Strongest single paths"), h("div", { className: "wide" }, table(["to", "from", "path, last layer first", "strength", "max flow", "rollout"],
    found.flow_paths.map((path) => [tokenAt(run, path.end_position) + "  " + path.end_position, tokenAt(run, path.start_position) + "  " + path.start_position,
      path.flow_steps.filter((step) => step.head !== null).map((step) => "L" + step.layer + "H" + step.head + " to " + tokenAt(run, step.involved_tokens[step.involved_tokens.length - 1]) + " " + step.involved_tokens[step.involved_tokens.length - 1]).join(", ") || "stays",
      path.total_strength, path.max_flow, path.rollout]))));
}

/** @param {Attention["rollout"]} found */
function rollout(found) {
  const tokens = found.tokens.flatMap(({ attribution, ...token }) => (attribution === null ? [] : [{ ...token, attribution }]));
  if (!tokens.length) return found.reason ? h("p", { className: "hint" }, "Rollout: " + visible(found.reason, 300)) : null;
  const most = Math.max(...tokens.map((token) => token.attribution)) || 1;
  const wide = Math.max(3, Math.min(18, 1400 / tokens.length));
  const width = tokens.length * wide + 20, height = 120;
  return h("div", {}, h("h3", {}, "Rollout to position " + found.target), h("div", { className: "wide" },
    s("svg", { class: "arcs", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "Rollout by token" }, ...tokens.map((token, i) =>
      s("rect", { x: 10 + i * wide, y: height - 6 - (height - 12) * (token.attribution / most), width: Math.max(1, wide - 1), height: Math.max(1, (height - 12) * (token.attribution / most)), fill: "var(--one)",
        "data-key": "position " + token.position, "data-value": token.attribution,
        tip: "“" + visible(token.token, 40) + "”  position " + token.position + "\nrollout " + percent(token.attribution) + "\nbeyond uniform attention " + percent(token.excess) })))));
}
