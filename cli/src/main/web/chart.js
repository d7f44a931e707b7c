// Small charts: lines over steps or layers, and a table of coloured cells.
import { h, number, roving, s } from "./dom.js";
import { colour, painted } from "./colour.js";

const COLOURS = ["var(--one)", "var(--two)", "var(--three)", "var(--four)", "var(--five)"];
const DASHES = [null, "6 3", "2 3", "8 3 2 3", "1 2"];

/**
 * Lines over a common axis.
 *
 * @param series [{name, points: [[x, y]]}]; points without a number are gaps
 * @param axes {x, y: names, log: whether y is in logarithms}
 */
export function lines(series, { x: across, y: up, log = false, height = 220, width = 720 }) {
  const left = 62, right = 12, top = 26, bottom = 34 + 18 * Math.ceil(series.length / 4);
  const points = series.flatMap((line) => line.points).filter(([, y]) => usable(y, log));
  if (!points.length) return null;
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => (log ? Math.log10(y) : y));
  const [x0, x1] = range(xs);
  let [y0, y1] = range(ys);
  if (!log && y0 > 0 && y0 < y1 / 2) y0 = 0;
  if (y0 === y1) { y0 -= log ? 0.5 : Math.abs(y0) / 2 || 0.5; y1 += log ? 0.5 : Math.abs(y1) / 2 || 0.5; }
  const px = (x) => left + ((x - x0) / (x1 - x0 || 1)) * (width - left - right);
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
    for (const [x, y] of line.points) {
      if (!usable(y, log)) { pen = "M"; continue; }
      path += pen + px(x).toFixed(1) + " " + py(y).toFixed(1);
      pen = "L";
    }
    return s("path", { d: path, fill: "none", stroke: COLOURS[i % 5], "stroke-width": 2, "stroke-dasharray": DASHES[i % 5] });
  });
  const dots = series.flatMap((line, i) => line.points.filter(([, y]) => usable(y, log)).map(([x, y]) =>
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

function usable(y, log) {
  return typeof y === "number" && Number.isFinite(y) && (!log || y > 0);
}

function range(numbers) {
  return numbers.reduce(([low, high], x) => [Math.min(low, x), Math.max(high, x)], [Infinity, -Infinity]);
}

/**
 * A table of coloured cells.
 *
 * @param rows, columns names of both
 * @param cell (row, column) to {text, share, tip, key, act} or null where there is nothing
 */
export function cells({ name, corner = "", rows, columns, cell, kind = "" }) {
  const table = h("table", { className: "grid " + kind, role: "grid", "aria-label": name },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, corner),
      columns.map((column) => h("th", { scope: "col", title: column.title ?? "" }, column.name ?? column)))),
    h("tbody", {}, rows.map((row, r) => h("tr", {},
      h("th", { scope: "row" }, row.name ?? String(row)),
      columns.map((_, c) => {
        const found = cell(r, c);
        if (!found) return h("td", { className: "missing", role: "gridcell" }, "");
        return h("td", {
          role: "gridcell", style: painted(found.share), tip: found.tip, data: found.key ? { key: found.key } : {},
          className: (found.share === null ? "missing" : "") + (found.chosen ? " chosen" : ""),
          onclick: found.act ?? null,
          onkeydown: found.act ? (event) => { if (event.key === "Enter" || event.key === " ") { found.act(); event.preventDefault(); } } : null,
        }, found.text);
      })))));
  return roving(table, "td:not(.missing), td.missing[data-key]");
}

/** What the colours of a scale stand for. */
export function key(name, scale, shown = number) {
  const canvas = h("canvas", { width: 120, height: 1, "aria-hidden": "true" });
  const paint = canvas.getContext("2d");
  for (let x = 0; x < 120; x++) {
    paint.fillStyle = colour(x / 119);
    paint.fillRect(x, 0, 1, 1);
  }
  return h("span", { className: "key" }, name + ": " + shown(scale.least), canvas, shown(scale.largest));
}

/** A plain table; numbers are aligned. */
export function table(names, rows, kind = "") {
  return h("table", { className: "plain " + kind },
    h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((x) =>
      h("td", { className: typeof x === "number" ? "number" : typeof x === "string" && x.length > 40 ? "words" : "" }, x instanceof Node ? x : typeof x === "number" ? number(x, 4) : x ?? "–"))))));
}
