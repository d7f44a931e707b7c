// Elements without markup: what comes from a model or a file becomes text, never HTML.

const SVG = "http://www.w3.org/2000/svg";
const LONGEST = 80;

/** An element with properties, `data` and event listeners, and children; null children are none. */
export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** The same of SVG, whose properties are attributes. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "tip" || name.startsWith("on")) continue;
    if (value !== null && value !== undefined) element.setAttribute(name, harmless(value));
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  }
  if (attributes.tip) tip(element, attributes.tip);
  append(element, children);
  return element;
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name === "tip") tip(element, value);
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "role") element[name] = harmless(value);
    else element.setAttribute(name, harmless(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) element.append(harmless(child));
  }
}

/** Texts are shown with all that would act or hide in them written out, whoever forgot to. */
function harmless(child) {
  return typeof child === "string" && ACTS.test(child) ? child.replace(ACTING, escaped) : child;
}

const tips = new WeakMap();

/** What is told of an element when it is pointed at or focused: a text, or a function for one. */
export function tip(element, text) {
  tips.set(element, text);
}

/** The text told of the nearest element that has one, or null. */
export function told(element) {
  for (let at = element; at; at = at.parentElement) {
    const text = tips.get(at);
    if (text !== undefined) return { element: at, text: typeof text === "function" ? text() : text };
  }
  return null;
}

/** Shows tips of what is pointed at or focused, and marks what has the same key elsewhere. */
export function followPointer(root, box) {
  let marked = [];
  const show = (event) => {
    const found = told(event.target);
    marked.forEach((element) => element.classList.remove("linked"));
    marked = [];
    if (!found || !found.text) return hide();
    box.textContent = harmless(found.text);
    box.hidden = false;
    place(box, found.element.getBoundingClientRect(), event);
    const key = found.element.dataset.key;
    if (key) {
      marked = [...root.querySelectorAll("[data-key]")].filter(
        (other) => other.dataset.key === key && other !== found.element);
      marked.forEach((element) => element.classList.add("linked"));
    }
  };
  const hide = () => { box.hidden = true; };
  root.addEventListener("pointerover", show);
  root.addEventListener("focusin", show);
  root.addEventListener("pointerleave", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("scroll", hide, { passive: true });
}

/** Has the document's events of a kind handled for as long as an element is shown. */
export function whileShown(element, kind, act) {
  let shown = false;
  const handle = (event) => {
    shown ||= element.isConnected;
    if (shown && !element.isConnected) document.removeEventListener(kind, handle);
    else act(event);
  };
  document.addEventListener(kind, handle);
}

/** Puts the box beside a rectangle, inside of the window. */
export function place(box, near) {
  const left = Math.min(near.left, innerWidth - box.offsetWidth - 8);
  const below = near.bottom + 6;
  const top = below + box.offsetHeight < innerHeight ? below : near.top - box.offsetHeight - 6;
  box.style.left = Math.max(4, left) + "px";
  box.style.top = Math.max(4, top) + "px";
}

/**
 * Text as it may be shown: control characters, those that reorder text or have no width, and
 * halves of characters are written out; long texts are cut.
 */
export function visible(text, longest = LONGEST) {
  let out = "";
  let n = 0;
  for (const c of String(text)) {
    if (n++ === longest) return out + "…";
    out += SHORT.get(c) ?? (INVISIBLE.test(c) ? escaped(c) : c);
  }
  return out;
}

/** A token as a label: a space at its beginning or alone is seen. */
export function tokenLabel(text, longest) {
  return visible(text, longest).replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length)) || "∅";
}

const SHORT = new Map([["\n", "⏎"], ["\t", "⇥"], ["\r", "␍"], ["\u0000", "␀"], ["\u001b", "␛"]]);
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029\u115F\u1160\u3164\uFFA0]/u;
const ACTS = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;
const ACTING = new RegExp(ACTS, "gu");

function escaped(c) {
  return "\\u{" + c.codePointAt(0).toString(16) + "}";
}

/** A number with as many digits as tell something. */
export function number(x, digits = 3) {
  if (x === null || x === undefined) return "–";
  if (typeof x !== "number") return String(x);
  if (!Number.isFinite(x)) return String(x);
  if (Number.isInteger(x) && Math.abs(x) < 1e9) return x.toLocaleString("en");
  const size = Math.abs(x);
  if (size >= 1e5 || (size < 1e-3 && size > 0)) return x.toExponential(1);
  return String(Number(x.toPrecision(digits)));
}

/** A share as percent. */
export function percent(x) {
  return x === null || x === undefined ? "–" : number(100 * x, 3) + " %";
}

/** Says something to those who listen to the page. */
export function say(text) {
  document.getElementById("said").textContent = harmless(text);
}

/** A choice among names; `of` is an array of [value, label]. */
export function choice(label, of, value, onchange) {
  return h("label", {}, label + " ",
    h("select", { data: { key: "choice " + label }, onchange: (event) => onchange(event.target.value) },
      of.map(([name, text]) => h("option", { value: name, selected: name === value }, text))));
}

/** Arrow keys move among the cells of a grid, of which one is in the order of Tab. */
export function roving(table, selector) {
  const all = () => [...table.querySelectorAll(selector)];
  const first = table.querySelector(selector);
  all().forEach((cell) => { cell.tabIndex = cell === first ? 0 : -1; });
  table.addEventListener("keydown", (event) => {
    const at = event.target.closest(selector);
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!at || !step) return;
    const cell = at.closest("td");
    const row = table.rows[cell.parentElement.rowIndex + step[0]];
    const to = row?.cells[cell.cellIndex + step[1]];
    const next = to?.matches(selector) ? to : to?.querySelector(selector);
    if (next) {
      at.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
    event.preventDefault();
  });
  return table;
}
