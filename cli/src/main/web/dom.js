// Elements without markup: what comes from a model or a file becomes text, never HTML.

const SVG = "http://www.w3.org/2000/svg";
const LONGEST = 80;

/**
 * Rows down and columns to the right that an arrow key goes.
 *
 * @type {Record<string, [number, number] | undefined>}
 */
export const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @typedef {Node | string | null | undefined | Children} Child */
/** @typedef {Child[]} Children */
/** @typedef {string | null | (() => string | null)} Tip a text, or what gives one when it is asked */

/**
 * An element with properties, `data` and event listeners, and children; null children are none.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} props
 * @param {Children} children
 */
export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/**
 * The same of SVG, whose properties are attributes.
 *
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {Children} children
 */
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

/**
 * @template {HTMLElement} E
 * @param {E} element
 * @param {Record<string, any>} props
 * @param {Children} children
 */
function filled(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name === "tip") tip(element, value);
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "role") Object.assign(element, { [name]: harmless(value) });
    else element.setAttribute(name, harmless(value));
  }
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {Children} children
 */
function append(element, children) {
  for (const child of /** @type {(Node | string | null | undefined)[]} */ (/** @type {any[]} */ (children).flat(Infinity))) {
    if (child !== null && child !== undefined) element.append(harmless(child));
  }
}

/**
 * Texts are shown with all that would act or hide in them written out, whoever forgot to.
 *
 * @template T
 * @param {T} child
 * @returns {T | string}
 */
function harmless(child) {
  return typeof child === "string" && ACTS.test(child) ? child.replace(ACTING, escaped) : child;
}

/** @type {WeakMap<Element, Tip>} */
const tips = new WeakMap();

/**
 * What is told of an element when it is pointed at or focused: a text, or a function for one.
 *
 * @param {Element} element
 * @param {Tip} text
 */
export function tip(element, text) {
  tips.set(element, text);
}

/**
 * The text told of the nearest element that has one, or null.
 *
 * @param {Element | null} element
 * @returns {{ element: Element, text: string | null } | null}
 */
export function told(element) {
  for (let at = element; at; at = at.parentElement) {
    const text = tips.get(at);
    if (text !== undefined) return { element: at, text: typeof text === "function" ? text() : text };
  }
  return null;
}

/**
 * Shows tips of what is pointed at or focused, and marks what has the same key elsewhere.
 *
 * @param {HTMLElement} root
 * @param {HTMLElement} box
 */
export function followPointer(root, box) {
  /** @type {Element[]} */
  let marked = [];
  /** @param {Event} event */
  const show = (event) => {
    const found = told(/** @type {Element} */ (event.target));
    marked.forEach((element) => element.classList.remove("linked"));
    marked = [];
    if (!found || !found.text) return hide();
    box.textContent = harmless(found.text);
    box.hidden = false;
    place(box, found.element.getBoundingClientRect());
    const key = found.element.getAttribute("data-key");
    if (key) {
      marked = [...root.querySelectorAll("[data-key]")].filter(
        (other) => other.getAttribute("data-key") === key && other !== found.element);
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

/**
 * Has the document's events of a kind handled for as long as an element is shown.
 *
 * @param {Element} element
 * @param {string} kind
 * @param {(event: any) => void} act
 */
export function whileShown(element, kind, act) {
  let shown = false;
  /** @param {Event} event */
  const handle = (event) => {
    shown ||= element.isConnected;
    if (shown && !element.isConnected) document.removeEventListener(kind, handle);
    else act(event);
  };
  document.addEventListener(kind, handle);
}

/**
 * Puts the box beside a rectangle, inside of the window.
 *
 * @param {HTMLElement} box
 * @param {DOMRect} near
 */
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
 *
 * @param {unknown} text
 * @param {number} [longest]
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

/**
 * A token as a label: a space at its beginning or alone is seen.
 *
 * @param {string} text
 * @param {number} [longest]
 */
export function tokenLabel(text, longest) {
  return visible(text, longest).replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length)) || "∅";
}

const SHORT = new Map([["\n", "⏎"], ["\t", "⇥"], ["\r", "␍"], ["\u0000", "␀"], ["\u001b", "␛"]]);
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029\u115F\u1160\u3164\uFFA0]/u;
const ACTS = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;
const ACTING = new RegExp(ACTS, "gu");

/** @param {string} c */
function escaped(c) {
  return "\\u{" + c.codePointAt(0)?.toString(16) + "}";
}

/**
 * A number with as many digits as tell something.
 *
 * @param {unknown} x
 * @param {number} [digits]
 */
export function number(x, digits = 3) {
  if (x === null || x === undefined) return "–";
  if (typeof x !== "number") return String(x);
  if (!Number.isFinite(x)) return String(x);
  if (Number.isInteger(x) && Math.abs(x) < 1e9) return x.toLocaleString("en");
  const size = Math.abs(x);
  if (size >= 1e5 || (size < 1e-3 && size > 0)) return x.toExponential(1);
  return String(Number(x.toPrecision(digits)));
}

/**
 * A share as percent.
 *
 * @param {number | null | undefined} x
 */
export function percent(x) {
  return x === null || x === undefined ? "–" : number(100 * x, 3) + " %";
}

/**
 * A part of the page that is always there, by its id.
 *
 * @param {string} id
 */
export function part(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error("the page has no " + id);
  return found;
}

/**
 * What paints on a canvas.
 *
 * @param {HTMLCanvasElement} canvas
 */
export function brush(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * Says something to those who listen to the page.
 *
 * @param {string} text
 */
export function say(text) {
  part("said").textContent = harmless(text);
}

/**
 * A choice among names; `of` is an array of [value, label].
 *
 * @param {string} label
 * @param {string[][]} of
 * @param {string} value
 * @param {(value: string) => void} onchange
 */
export function choice(label, of, value, onchange) {
  return h("label", {}, label + " ",
    h("select", { data: { key: "choice " + label }, onchange: (/** @type {any} */ event) => onchange(event.target.value) },
      of.map(([name, text]) => h("option", { value: name, selected: name === value }, text))));
}

/**
 * Arrow keys move among the cells of a grid, of which one is in the order of Tab.
 *
 * @param {HTMLTableElement} table
 * @param {string} selector
 */
export function roving(table, selector) {
  const all = () => /** @type {NodeListOf<HTMLElement>} */ (table.querySelectorAll(selector));
  all().forEach((cell, i) => { cell.tabIndex = i ? -1 : 0; });
  table.addEventListener("keydown", (event) => {
    const at = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(selector));
    const step = STEPS[event.key];
    const cell = at?.closest("td");
    if (!at || !cell || !step) return;
    const row = table.rows[/** @type {HTMLTableRowElement} */ (cell.parentElement).rowIndex + step[0]];
    const to = row?.cells[cell.cellIndex + step[1]];
    const next = to?.matches(selector) ? to : /** @type {HTMLElement | null | undefined} */ (to?.querySelector(selector));
    if (next) {
      at.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
    event.preventDefault();
  });
  return table;
}
