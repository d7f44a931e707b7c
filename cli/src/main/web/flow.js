// How attention carries tokens to the last position: strongest paths and rollout.
import { h, number, percent, s, tokenLabel, visible } from "./dom.js";

const tokenAt = (run, position) => tokenLabel(run.of("attention").rollout.tokens.find((token) => token.position === position)?.token ?? String(position), 18);

export const flow = {
  id: "flow",
  title: "Flow",
  hint: "Each band follows attention backwards, from the last token on the right, layer by layer, to a token it draws on; its width is the strength of the step. Below, rollout shows how much of the last position goes back to each token.",
  has: (run) => (run.of("attention")?.attention_flow.flow_paths.length ?? 0) > 0 || (run.of("attention")?.rollout.tokens.length ?? 0) > 0,
  draw(run) {
    const attention = run.of("attention");
    return h("div", {}, bands(run, attention.attention_flow), rollout(attention.rollout),
      attention.attention_flow.reason ? h("p", { className: "hint" }, visible(attention.attention_flow.reason, 300)) : null,
      attention.attention_flow.bottlenecks.map((b) => h("p", {}, "Bottleneck in layer " + b.layer + ": " + b.bottleneck_type + ", severity " + number(b.severity))));
  },
  rows(run) {
    const attention = run.of("attention");
    return [["what", "path", "layer", "head", "from", "to", "strength"],
      ...attention.attention_flow.flow_paths.flatMap((path) => path.flow_steps.map((step) =>
        ["step", path.path_id, step.layer, step.head, step.involved_tokens[0], step.involved_tokens.at(-1), step.strength])),
      ...attention.rollout.tokens.map((token) => ["rollout", token.token, null, null, token.position, attention.rollout.target, token.attribution])];
  },
};

function bands(run, found) {
  const paths = found.flow_paths;
  if (!paths.length) return null;
  const depth = Math.max(...paths.map((path) => path.flow_steps.length));
  const positions = [...new Set(paths.flatMap((path) => path.flow_steps.flatMap((step) => step.involved_tokens)))].sort((a, b) => a - b);
  const width = 820, left = 130, right = 20, row = 30, top = 24;
  const x = (column) => left + ((width - left - right) * column) / depth;
  const y = (position) => top + positions.indexOf(position) * row + row / 2;
  const parts = positions.map((position) => s("text", { x: left - 10, y: y(position) + 4, "text-anchor": "end", "data-key": "position " + position,
    tip: "position " + position }, tokenAt(run, position) + "  " + position));
  const used = new Map();
  paths.forEach((path, p) => {
    path.flow_steps.forEach((step, i) => {
      const to = step.involved_tokens[0], from = step.involved_tokens.at(-1);
      const column = depth - i;
      const shift = (p - (paths.length - 1) / 2) * 2.5;
      const x0 = x(column - 1), x1 = x(column), middle = (x0 + x1) / 2;
      parts.push(s("path", { d: `M${x0} ${y(from) + shift}C${middle} ${y(from) + shift} ${middle} ${y(to) + shift} ${x1} ${y(to) + shift}`, fill: "none",
        stroke: ["var(--one)", "var(--two)", "var(--three)", "var(--four)", "var(--five)"][p % 5], "stroke-width": Math.max(1.2, 14 * (step.strength ?? 0)).toFixed(1), "stroke-opacity": 0.65,
        "data-key": "path " + path.path_id,
        tip: "from “" + tokenAt(run, from) + "” " + from + " to “" + tokenAt(run, to) + "” " + to + "\nlayer " + step.layer + (step.head === null ? ", stays in the residual stream" : ", head " + step.head) +
          "\nstrength " + number(step.strength) + "\npath " + number(path.total_strength) + ", max flow " + number(path.max_flow) + ", rollout " + number(path.rollout) }));
      used.set(column, step.layer);
    });
  });
  for (const [column, layer] of used) parts.push(s("text", { class: "axis", x: (x(column - 1) + x(column)) / 2, y: 12, "text-anchor": "middle" }, "layer " + layer));
  const height = top + positions.length * row + 8;
  return h("div", { className: "wide" }, s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "Strongest paths of attention to the last position" }, ...parts));
}

function rollout(found) {
  const tokens = found.tokens.filter((token) => token.attribution !== null);
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
