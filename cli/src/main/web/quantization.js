// What quantization costs: by layer, by tensor, by head, and in predictions.
import { h, number, percent, s, visible } from "./dom.js";
import { scale } from "./colour.js";
import { cells, key, lines, table } from "./chart.js";
import { textsOf } from "./data.js";

/** @import { Run, View } from "./data.js" */

/** @typedef {import("./data.js").Documents["diff"]} Diff */

/** @type {View} */
export const quantization = {
  id: "quantization",
  title: "Quantization",
  hint: "Error of each layer's output relative to the reference: own is with the reference's input, accumulated with what came before. The tensors are sorted by error, worst first; heads show how far attention moved.",
  has: (run) => run.of("diff") !== null,
  draw(run, state, redraw, { all, shown }) {
    const diff = run.the("diff");
    const worst = [...diff.nodes].sort((a, b) => error(b) - error(a)).slice(0, 40);
    return h("div", {},
      lines([{ name: "accumulated", points: diff.layers.map((layer) => [layer.layer, layer.accumulated?.relative_l2]) },
        { name: "own", points: diff.layers.map((layer) => [layer.layer, layer.local?.relative_l2]) }], { x: "layer", y: "‖error‖ / ‖reference‖" }),
      several(all),
      headGrid(diff.heads, shown),
      flips(run, diff.logits),
      h("h3", {}, "Tensors"),
      h("div", { className: "wide" }, table(["tensor", "weight", "type", "own error", "accumulated", "cosine", "level"], worst.map((node) => [
        visible(node.tensor), node.weight ? visible(node.weight) : "–", node.type ?? "–", node.local?.relative_l2 ?? null, node.accumulated?.relative_l2 ?? null, node.accumulated?.cosine ?? null,
        h("span", { className: node.level === "critical" ? "bad" : node.level === "warning" ? "warn" : "good" }, node.level)]))));
  },
  rows: (run) => [["layer", "site", "tensor", "weight", "type", "own_relative_l2", "accumulated_relative_l2", "cosine", "snr_db", "level"],
    ...run.the("diff").nodes.map((n) => [n.layer, n.site, n.tensor, n.weight, n.type, n.local?.relative_l2, n.accumulated?.relative_l2, n.accumulated?.cosine, n.accumulated?.snr_db, n.level])],
};

/** @param {Diff["nodes"][number]} node */
function error(node) {
  return node.local?.relative_l2 ?? node.accumulated?.relative_l2 ?? 0;
}

/**
 * Divergence against size, when several models were compared with references.
 *
 * @param {Run[]} runs
 */
function several(runs) {
  const points = runs.map((run) => run.of("diff")).flatMap((diff) => {
    const kl = diff?.logits?.kl_mean ?? null;
    return diff && kl !== null ? [{ name: diff.model.file, bytes: diff.model.bytes, kl }] : [];
  });
  if (points.length < 2) return null;
  const width = 720, height = 240, left = 70, bottom = 36;
  const most = Math.max(...points.map((p) => p.bytes)), high = Math.max(...points.map((p) => p.kl)) || 1;
  return h("div", {}, h("h3", {}, "Divergence against size"), h("div", { className: "wide" }, s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "Mean KL divergence against bytes" },
    s("line", { class: "rule", x1: left, x2: width - 10, y1: height - bottom, y2: height - bottom }),
    s("line", { class: "rule", x1: left, x2: left, y1: 10, y2: height - bottom }),
    s("text", { class: "axis", x: width - 10, y: height - 8, "text-anchor": "end" }, "bytes, up to " + number(most)),
    s("text", { class: "axis", x: 4, y: 12 }, "mean KL, up to " + number(high) + " nats"),
    ...points.flatMap((p) => {
      const x = left + (p.bytes / most) * (width - left - 140), y = height - bottom - (p.kl / high) * (height - bottom - 30);
      return [s("circle", { cx: x, cy: y, r: 5, fill: "var(--one)", tip: visible(p.name) + "\n" + number(p.bytes) + " bytes\nmean KL " + number(p.kl) + " nats" }),
        s("text", { x: x + 9, y: y + 4 }, visible(p.name, 28))];
    }))));
}

/**
 * @param {Diff["heads"]} heads
 * @param {Run[]} shown
 */
function headGrid(heads, shown) {
  if (!heads?.length) return null;
  const layers = [...new Set(heads.map((head) => head.layer))].sort((a, b) => a - b);
  const widest = heads.reduce((most, head) => Math.max(most, head.head), 0) + 1;
  const colours = scale(shown.flatMap((run) => run.of("diff")?.heads ?? []).map((head) => head.accumulated), { log: true });
  return h("div", {}, h("h3", {}, "Attention: Jensen–Shannon divergence by head"), key("nats", colours), h("div", { className: "wide" }, cells({
    name: "Divergence of attention", corner: "layer", rows: layers, columns: Array.from({ length: widest }, (_, i) => String(i)),
    cell(r, c) {
      const head = heads.find((each) => each.layer === layers[r] && each.head === c);
      return head ? { text: number(head.accumulated, 2), share: head.accumulated === null ? null : colours.share(head.accumulated), key: "head " + head.layer + "." + head.head,
        tip: "L" + head.layer + "H" + head.head + "\naccumulated " + number(head.accumulated) + " nats, at most " + number(head.accumulated_max) + "\nown " + number(head.local) + "\n" + number(head.rows) + " rows" } : null;
    },
  })));
}

/**
 * @param {Run} run
 * @param {Diff["logits"]} logits
 */
function flips(run, logits) {
  if (!logits?.examples?.length) return null;
  const texts = textsOf(run);
  /** @param {number} id */
  const name = (id) => (texts.has(id) ? "“" + visible(texts.get(id), 30) + "”" : "token " + id);
  return h("div", {}, h("h3", {}, "Where the prediction flips most"), table(["position", "reference says", "of it", "this says", "of the reference's", "KL, nats"], logits.examples.map((flip) =>
    [flip.position, name(flip.reference), percent(flip.reference_probability), name(flip.predicted), percent(flip.probability), flip.kl])));
}
