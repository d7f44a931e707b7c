// Every figure as SVG or PNG, its numbers as CSV; all made here, nothing is sent.
import { h, say } from "./dom.js";

/** Buttons that save a figure; `rows` gives its numbers, a line of names first. */
export function saver(name, figure, rows) {
  const button = (kind, act) =>
    h("button", { type: "button", title: "Save " + name + " as " + kind, onclick: act }, kind);
  return h("span", { className: "save" },
    button("SVG", () => offer(name + ".svg", new Blob([picture(figure())], { type: "image/svg+xml" }))),
    button("PNG", async () => offer(name + ".png", await raster(figure()))),
    button("CSV", () => offer(name + ".csv", new Blob([csv(rows())], { type: "text/csv" }))));
}

function offer(name, blob) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name.replace(/[^\w.-]+/g, "-") }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say("Saved " + name);
}

/** Numbers as RFC 4180 has them; a text that a spreadsheet takes for a formula begins with '. */
function csv(rows) {
  const field = (x) => {
    if (x === null || x === undefined) return "";
    if (typeof x === "number") return String(x);
    const text = /^[=+\-@\t\r]/.test(x) ? "'" + x : String(x);
    return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  return rows.map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}

/** A figure as it is seen, as one SVG document: boxes, texts, canvases and drawings. */
export function picture(figure) {
  const frame = figure.getBoundingClientRect();
  const width = Math.ceil(Math.max(frame.width, figure.scrollWidth));
  const height = Math.ceil(Math.max(frame.height, figure.scrollHeight));
  const parts = [];
  const at = (box) => [round(box.left - frame.left), round(box.top - frame.top)];
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return text(node);
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    const style = getComputedStyle(node);
    if (style.display === "none" || style.visibility === "hidden") return;
    const box = node.getBoundingClientRect();
    const [x, y] = at(box);
    if (node.tagName === "CANVAS") {
      const image = node.toDataURL("image/png");
      parts.push(`<image x="${x}" y="${y}" width="${round(box.width)}" height="${round(box.height)}" href="${image}"/>`);
    } else if (node.tagName === "svg") {
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
  const text = (node) => {
    if (!node.data.trim()) return;
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

/** The lines that a text is broken into, each with its box. */
function linesOf(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const boxes = range.getClientRects();
  if (boxes.length < 2) return boxes.length ? [[node.data, boxes[0]]] : [];
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

/** A drawing with its colours written out, since the page's style stays behind. */
function drawing(source, box) {
  const copy = source.cloneNode(true);
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  const originals = source.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((element, i) => {
    const style = getComputedStyle(originals[i]);
    PAINT.forEach((name) => element.setAttribute(name, style.getPropertyValue(name)));
    element.removeAttribute("class");
  });
  return new XMLSerializer().serializeToString(copy);
}

async function raster(figure) {
  const source = picture(figure);
  const image = new Image();
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(source);
  await image.decode();
  const canvas = h("canvas", { width: image.width * 2, height: image.height * 2 });
  const paint = canvas.getContext("2d");
  paint.scale(2, 2);
  paint.drawImage(image, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function round(x) {
  return Math.round(x * 10) / 10;
}

/** Text within XML, without the characters that XML forbids. */
function escape(text) {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
