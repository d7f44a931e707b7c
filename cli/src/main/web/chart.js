// Small charts: lines over steps or layers, and a table of coloured cells.
import { brush, h, number, roving, s } from "./dom.js";
import { colour, painted } from "./colour.js";

const COLOURS = ["var(--one)", "var(--two)", "var(--three)", "var(--four)", "var(--five)"];
const DASHES = [null, "6 3", "2 3", "8 3 2 3", "1 2"];

/**
 * Lines over a common axis.
 *
 * @typedef {(number | null | undefined)[]} Point x and y; without a number it is a gap
 * @param {{ name: string, points: Point[] }[]} series
 * @param {{ x: string, y: string, log?: boolean, height?: number, width?: number }} axes names of both,
 *   whether y is in logarithms, and the size
 */
export function lines(series, { x: across, y: up, log = false, height = 220, width = 720 }) {
  const left = 62, right = 12, top = 26, bottom = 34 + 18 * Math.ceil(series.length / 4);
  const points = series.flatMap((line) => usable(line.points, log));
  if (!points.length) return null;
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => (log ? Math.log10(y) : y));
  const [x0, x1] = range(xs);
  let [y0, y1] = range(ys);
  if (!log && y0 > 0 && y0 < y1 / 2) y0 = 0;
  if (y0 === y1) { y0 -= log ? 0.5 : Math.abs(y0) / 2 || 0.5; y1 += log ? 0.5 : Math.abs(y1) / 2 || 0.5; }
  /** @param {number} x */
  const px = (x) => left + ((x - x0) / (x1 - x0 || 1)) * (width - left - right);
  /** @param {number} y */
  const py = (y) => top + (1 - ((log ? Math.log10(y) : y) - y0) / (y1 - y0)) * (height - top - bottom);
  const axis = [];
  for (let i = 0; i <= 4; i++) {
    const y = y0 + (i / 4) * (y1 - y0);
    const at = log ? 10 ** y : y;
    axis.push(
      s("line", { class: "rule", x1: left, x2: width - right, y1: py(at), y2: py(at) }),
      s("text", { class: "axis", x: left - 6, y: py(at) + 4, "text-anchor": "end" }, number(at, 2)));
  }
  const ticks = Math.min(8, x1 - x0) || 1;
  for (const tick of new Set(Array.from({ length: ticks + 1 }, (_, i) => Math.round(x0 + (i / ticks) * (x1 - x0))))) {
    axis.push(s("text", { class: "axis", x: px(tick), y: height - bottom + 15, "text-anchor": "middle" }, String(tick)));
  }
  axis.push(
    s("text", { class: "axis", x: width - right, y: height - bottom + 29, "text-anchor": "end" }, across),
    s("text", { class: "axis", x: 4, y: 12 }, up));
  const drawn = series.map((line, i) => {
    let path = "";
    let pen = "M";
    for (const point of line.points) {
      const [at] = usable([point], log);
      path += at ? pen + px(at[0]).toFixed(1) + " " + py(at[1]).toFixed(1) : "";
      pen = at ? "L" : "M";
    }
    return s("path", { d: path, fill: "none", stroke: COLOURS[i % 5], "stroke-width": 2, "stroke-dasharray": DASHES[i % 5] });
  });
  const dots = series.flatMap((line, i) => usable(line.points, log).map(([x, y]) =>
    s("circle", {
      cx: px(x), cy: py(y), r: line.points.length > 80 ? 2 : 3.5, fill: COLOURS[i % 5], "data-key": across + " " + x,
      tip: line.name + "\n" + across + " " + x + ": " + number(y, 4),
    })));
  let next = left;
  let row = 0;
  const legend = series.map((line, i) => {
    const wide = 50 + 6.6 * line.name.length;
    if (next + wide > width) {
      next = left;
      row++;
    }
    const x = next, y = height - bottom + 46 + 18 * row;
    next += wide;
    return s("g", {},
      s("line", { x1: x, x2: x + 22, y1: y - 4, y2: y - 4, stroke: COLOURS[i % 5], "stroke-width": 2, "stroke-dasharray": DASHES[i % 5] }),
      s("text", { x: x + 27, y }, line.name));
  });
  const said = series.map((line) => line.name).join(", ") + " by " + across;
  return h("div", { className: "wide" }, s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": said },
    ...axis, ...drawn, ...dots, ...legend));
}

/**
 * Points that can be drawn.
 *
 * @param {Point[]} points
 * @param {boolean} log
 */
function usable(points, log) {
  return /** @type {[number, number][]} */ (points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y) && (!log || Number(y) > 0)));
}

/** @param {number[]} numbers */
function range(numbers) {
  return numbers.reduce(([low, high], x) => [Math.min(low, x), Math.max(high, x)], [Infinity, -Infinity]);
}

/**
 * A table of coloured cells.
 *
 * @typedef {object} Cell
 * @property {Node | string} text
 * @property {number | null} [share] of its colour; null where it has no value
 * @property {import("./dom.js").Tip} [tip]
 * @property {string | null} [key] what is marked with it
 * @property {boolean} [chosen]
 * @property {() => void} [act] when it is chosen
 * @param {object} of
 * @param {string} of.name
 * @param {string} [of.corner]
 * @param {(string | number | { name: string, title?: string })[]} of.rows
 * @param {(string | number | { name: string, title?: string })[]} of.columns
 * @param {(row: number, column: number) => Cell | null} of.cell null where there is nothing
 * @param {string} [of.kind]
 */
export function cells({ name, corner = "", rows, columns, cell, kind = "" }) {
  const table = h("table", { className: "grid " + kind, role: "grid", "aria-label": name },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, corner),
      columns.map((column) => h("th", { scope: "col", title: titled(column).title ?? "" }, titled(column).name)))),
    h("tbody", {}, rows.map((row, r) => h("tr", {},
      h("th", { scope: "row" }, titled(row).name),
      columns.map((_, c) => {
        const found = cell(r, c);
        if (!found) return h("td", { className: "missing", role: "gridcell" }, "");
        return h("td", {
          role: "gridcell", style: painted(found.share), tip: found.tip, data: found.key ? { key: found.key } : {},
          className: (found.share === null ? "missing" : "") + (found.chosen ? " chosen" : ""),
          onclick: found.act ?? null,
          onkeydown: (/** @type {KeyboardEvent} */ event) => { if (found.act && (event.key === "Enter" || event.key === " ")) { found.act(); event.preventDefault(); } },
        }, found.text);
      })))));
  return roving(table, "td:not(.missing), td.missing[data-key]");
}

/**
 * @param {string | number | { name: string, title?: string }} name
 * @returns {{ name: string, title?: string }}
 */
function titled(name) {
  return typeof name === "object" ? name : { name: String(name) };
}

/**
 * What the colours of a scale stand for.
 *
 * @param {string} name
 * @param {{ least: number, largest: number }} scale
 * @param {(x: number) => string} shown
 */
export function key(name, scale, shown = number) {
  const canvas = h("canvas", { width: 120, height: 1, "aria-hidden": "true" });
  const paint = brush(canvas);
  for (let x = 0; x < 120; x++) {
    paint.fillStyle = colour(x / 119);
    paint.fillRect(x, 0, 1, 1);
  }
  return h("span", { className: "key" }, name + ": " + shown(scale.least), canvas, shown(scale.largest));
}

/**
 * A plain table; numbers are aligned.
 *
 * @param {string[]} names
 * @param {(Node | string | number | null | undefined)[][]} rows
 */
export function table(names, rows, kind = "") {
  return h("table", { className: "plain " + kind },
    h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((x) =>
      h("td", { className: typeof x === "number" ? "number" : typeof x === "string" && x.length > 40 ? "words" : "" }, x instanceof Node ? x : typeof x === "number" ? number(x, 4) : x ?? "–"))))));
}
