// What heads are shaped like, how few keys they need, and which tokens they prefer.
import { h, number, percent, visible } from "./dom.js";
import { cells, lines, table } from "./chart.js";

/** @typedef {import("./data.js").Documents["sparse"]["patterns"]} Patterns */

/**
 * Letter and colour of a kind; the letter tells it without the colour.
 *
 * @type {Record<string, string[]>}
 */
const KINDS = {
  sink: ["S", "#e69f00"], diagonal: ["D", "#0072b2"], strided: ["T", "#56b4e9"], block: ["B", "#d55e00"],
  local: ["l", "#009e73"], global: ["g", "#f0e442"], heterogeneous: [".", "#8c959f"],
};
const UNKNOWN = ["?", "#8c959f"];

/** @param {Patterns | undefined} found */
export function shapes(found) {
  if (!found?.heads.length) return null;
  const layers = [...new Set(found.heads.map((head) => head.layer))];
  const widest = found.heads.reduce((most, head) => Math.max(most, head.head), 0) + 1;
  const at = new Map(found.heads.map((head) => [head.layer + "." + head.head, head]));
  return h("div", { data: { shapes: found.heads.length } }, h("h3", {}, "What heads are shaped like"),
    h("p", { className: "hint" }, [...new Set(found.heads.map((head) => head.kind))].map((kind) => key(kind))),
    h("div", { className: "wide" }, cells({
      name: "Shapes of heads", corner: "layer", rows: layers, columns: Array.from({ length: widest }, (_, i) => String(i)),
      cell(r, c) {
        const head = at.get(layers[r] + "." + c);
        return head ? { text: key(head.kind, false), key: "head " + layers[r] + "." + c, tip: told(head) } : null;
      },
    })),
    tokens(found),
    found.clusters.length ? table(["cluster", "shape", "cohesion", "heads"], found.clusters.map((cluster) => [cluster.cluster_id, cluster.kind ?? "–", cluster.cohesion, cluster.heads.map((head) => "L" + head.layer + "H" + head.head).join(" ")])) : null,
    Object.entries(found.absent).map(([what, why]) => h("p", { className: "hint" }, what.replaceAll("_", " ") + ": " + visible(why, 300))),
    savings(found));
}

/**
 * @param {string | null} kind
 * @param {boolean} [named]
 */
function key(kind, named = true) {
  const [letter, colour] = KINDS[kind ?? ""] ?? UNKNOWN;
  return h("span", { className: "key" }, h("span", { style: { border: "3px solid " + colour, borderRadius: "4px", padding: "0 .3rem", margin: named ? "0 0 0 .6rem" : "0" } }, letter), named ? kind ?? "too few rows to tell" : null);
}

/** @param {Patterns["heads"][number]} head */
function told(head) {
  return ["L" + head.layer + "H" + head.head + "  " + (head.kind ?? "too few rows to tell"),
    ...Object.entries(head.scores).map(([name, x]) => name.replaceAll("_", " ") + ": " + number(x)),
    ...head.efficiency.map((each) => percent(each.mass) + " of the mass on " + number(each.keys) + " keys, " + percent(each.share) + " of those in sight")].join("\n");
}

/**
 * Kinds of tokens that kinds of heads prefer, where chance gives that in one of twenty cases at most.
 *
 * @param {Patterns} found
 */
function tokens(found) {
  const preferred = found.kinds.flatMap((kind) => kind.tokens.flatMap((token) =>
    (token.chance !== null && token.chance <= 0.05 ? [[kind.kind, kind.heads, token.kind, percent(token.share), percent(token.base), token.lift, token.chance]] : [])));
  return preferred.length ? h("div", { className: "wide" }, table(["shape", "heads", "tokens", "share of attention", "of keys", "lift", "chance"], preferred)) : null;
}

/**
 * What is saved, layer by layer, by the fewest keys that hold 95 % of the mass.
 *
 * @param {Patterns} found
 */
function savings(found) {
  /** @param {"top_k" | "fixed"} selection */
  const saved = (selection) => found.layers.map((layer) => {
    const of = layer.savings.find((each) => each.selection === selection && each.mass === 0.95);
    return [layer.layer, of?.kv_saved];
  });
  return lines([{ name: "keys chosen by each query", points: saved("top_k") }, { name: "a fixed rule", points: saved("fixed") }],
    { x: "layer", y: "share of cached bytes not read, 95 % of the mass kept", height: 170 });
}
