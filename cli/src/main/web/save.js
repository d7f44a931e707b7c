// Every figure as SVG or PNG, its numbers as CSV; all made here, nothing is sent.
import { brush, h, say } from "./dom.js";

/**
 * Buttons that save a figure; `rows` gives its numbers, a line of names first.
 *
 * @param {string} name
 * @param {() => HTMLElement} figure
 * @param {() => import("./data.js").Row[]} rows
 */
export function saver(name, figure, rows) {
  /**
   * @param {string} kind
   * @param {() => void} act
   */
  const button = (kind, act) =>
    h("button", { type: "button", title: "Save " + name + " as " + kind, onclick: act }, kind);
  return h("span", { className: "save" },
    button("SVG", () => offer(name + ".svg", new Blob([picture(figure())], { type: "image/svg+xml" }))),
    button("PNG", async () => offer(name + ".png", await raster(figure()))),
    button("CSV", () => offer(name + ".csv", new Blob([csv(rows())], { type: "text/csv" }))));
}

/**
 * @param {string} name
 * @param {Blob} blob
 */
function offer(name, blob) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name.replace(/[^\w.-]+/g, "-") }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say("Saved " + name);
}

/**
 * Numbers as RFC 4180 has them; a text that a spreadsheet takes for a formula begins with '.
 *
 * @param {import("./data.js").Row[]} rows
 */
export function csv(rows) {
  /** @param {import("./data.js").Row[number]} x */
  const field = (x) => {
    if (x === null || x === undefined) return "";
    if (typeof x === "number") return String(x);
    const text = /^[=+\-@\t\r]/.test(x) ? "'" + x : String(x);
    return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  return rows.map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}

/**
 * A figure as it is seen, as one SVG document: boxes, texts, canvases and drawings.
 *
 * @param {HTMLElement} figure
 */
export function picture(figure) {
  const frame = figure.getBoundingClientRect();
  const width = Math.ceil(Math.max(frame.width, figure.scrollWidth));
  const height = Math.ceil(Math.max(frame.height, figure.scrollHeight));
  /** @type {string[]} */
  const parts = [];
  /** @param {DOMRect} box */
  const at = (box) => [round(box.left - frame.left), round(box.top - frame.top)];
  /** @param {Node} node */
  const walk = (node) => {
    if (node instanceof Text) text(node);
    if (!(node instanceof Element)) return;
    const style = getComputedStyle(node);
    if (style.display === "none" || style.visibility === "hidden") return;
    const box = node.getBoundingClientRect();
    const [x, y] = at(box);
    if (node instanceof HTMLCanvasElement) {
      const image = node.toDataURL("image/png");
      parts.push(`<image x="${x}" y="${y}" width="${round(box.width)}" height="${round(box.height)}" href="${image}"/>`);
    } else if (node instanceof SVGElement) {
      parts.push(`<g transform="translate(${x} ${y})">${drawing(node, box)}</g>`);
    } else {
      const fill = style.backgroundColor;
      if (!/^rgba\(0, 0, 0, 0\)$|transparent/.test(fill)) {
        for (const part of node.getClientRects()) {
          const [left, top] = at(part);
          parts.push(`<rect x="${left}" y="${top}" width="${round(part.width)}" height="${round(part.height)}" fill="${fill}"/>`);
        }
      }
      node.childNodes.forEach(walk);
    }
  };
  /** @param {Text} node */
  const text = (node) => {
    if (!node.data.trim() || !node.parentElement) return;
    const style = getComputedStyle(node.parentElement);
    const size = parseFloat(style.fontSize);
    for (const [words, box] of linesOf(node)) {
      const [x, y] = at(box);
      parts.push(`<text x="${x}" y="${round(y + (box.height + size * 0.7) / 2)}" fill="${style.color}" font-size="${size}" ` +
      `font-family="${escape(style.fontFamily)}" font-weight="${style.fontWeight}" xml:space="preserve">${escape(words)}</text>`);
    }
  };
  walk(figure);
  const back = getComputedStyle(document.body).backgroundColor;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<rect width="100%" height="100%" fill="${back}"/>${parts.join("\n")}</svg>`;
}

/**
 * The lines that a text is broken into, each with its box.
 *
 * @param {Text} node
 * @returns {[string, DOMRect][]}
 */
function linesOf(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const boxes = range.getClientRects();
  if (boxes.length < 2) return boxes.length ? [[node.data, boxes[0]]] : [];
  /** @type {[string, DOMRect][]} */
  const lines = [];
  for (const { 0: word, index } of node.data.matchAll(/\S+\s*/g)) {
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const box = range.getClientRects()[0];
    const last = lines.at(-1);
    if (last && box && Math.abs(last[1].top - box.top) < 2) last[0] += word;
    else if (box) lines.push([word, box]);
  }
  return lines;
}

const PAINT = ["fill", "stroke", "stroke-width", "stroke-opacity", "fill-opacity", "font-size", "font-family", "text-anchor", "opacity"];

/**
 * A drawing with its colours written out, since the page's style stays behind.
 *
 * @param {SVGElement} source
 * @param {DOMRect} box
 */
function drawing(source, box) {
  const copy = /** @type {SVGElement} */ (source.cloneNode(true));
  copy.setAttribute("width", String(box.width));
  copy.setAttribute("height", String(box.height));
  const originals = source.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((element, i) => {
    const style = getComputedStyle(originals[i]);
    PAINT.forEach((name) => element.setAttribute(name, style.getPropertyValue(name)));
    element.removeAttribute("class");
  });
  return new XMLSerializer().serializeToString(copy);
}

/**
 * @param {HTMLElement} figure
 * @returns {Promise<Blob>}
 */
async function raster(figure) {
  const source = picture(figure);
  const image = new Image();
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(source);
  await image.decode();
  const canvas = h("canvas", { width: image.width * 2, height: image.height * 2 });
  const paint = brush(canvas);
  paint.scale(2, 2);
  paint.drawImage(image, 0, 0);
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture could be made"))), "image/png"));
}

/** @param {number} x */
function round(x) {
  return Math.round(x * 10) / 10;
}

/**
 * Text within XML, without the characters that XML forbids.
 *
 * @param {string} text
 */
export function escape(text) {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
