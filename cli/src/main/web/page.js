// The page: runs, views in their order, theme, links between two runs.
import { choice, followPointer, h, part, say, visible } from "./dom.js";
import { embedded } from "./data.js";
import { saver } from "./save.js";
import { follow } from "./live.js";
import { verdict } from "./verdict.js";
import { map } from "./map.js";
import { text } from "./text.js";
import { lens } from "./lens.js";
import { heads } from "./heads.js";
import { patterns } from "./patterns.js";
import { flow } from "./flow.js";
import { cache } from "./cache.js";
import { activations } from "./activations.js";
import { quantization } from "./quantization.js";
import { sparse } from "./sparse.js";
import { settings } from "./settings.js";

/** @import { Run, State, View } from "./data.js" */

const VIEWS = [verdict, map, text, lens, heads, patterns, flow, cache, activations, quantization, sparse, settings];
const NONE = "none";

class Page {
  /** @type {Map<View, State>} */
  #states = new Map(VIEWS.map((view) => [view, {}]));

  /** @param {Run[]} runs */
  constructor(runs) {
    this.runs = runs;
    this.first = 0;
    /** @type {number | null} */
    this.second = null;
  }

  get shown() {
    return [this.first, this.second].flatMap((i) => (i === null ? [] : [this.runs[i]]));
  }

  /** Draws everything, a view after the other, so that the first is seen before the last is done. */
  async draw() {
    this.choices();
    const views = VIEWS.filter((view) => this.shown.some((run) => view.has(run)));
    part("views").replaceChildren(...views.map((view) => h("a", { href: "#" + view.id }, view.title)));
    const main = part("main");
    // Sections that stay keep their place, so that nobody who reads loses theirs.
    const sections = views.map((view) => document.getElementById(view.id) ?? h("section", { id: view.id, "aria-labelledby": view.id + "-title" }));
    if (main.children.length !== sections.length || sections.some((section, i) => main.children[i] !== section)) main.replaceChildren(...sections);
    for (let i = 0; i < views.length; i++) {
      this.view(views[i], sections[i]);
      await new Promise((next) => setTimeout(next));
    }
    document.documentElement.dataset.drawn = "yes";
  }

  /**
   * @param {View} view
   * @param {HTMLElement} section
   */
  view(view, section) {
    const state = this.#states.get(view) ?? {};
    const redraw = (opened = false) => {
      const focused = document.activeElement?.getAttribute("data-key");
      this.view(view, section);
      if (focused) /** @type {HTMLElement | null} */ (section.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus({ preventScroll: true });
      if (opened) section.querySelector(".detail")?.scrollIntoView({ block: "nearest" });
    };
    const controls = view.controls?.(state, this.shown, () => redraw()) ?? [];
    const shown = this.shown.filter((run) => view.has(run));
    section.replaceChildren(
      h("h2", { id: view.id + "-title" }, view.title),
      h("p", { className: "hint" }, view.hint),
      controls.length ? h("div", { className: "controls" }, controls) : "",
      h("div", { className: "panels" + (shown.length > 1 ? " two" : "") }, shown.map((run) => {
        const figure = h("figure", { "aria-label": view.title + " of " + visible(run.name) });
        figure.append(view.draw(run, state, redraw, { all: this.runs, shown }));
        return h("div", {}, h("div", { className: "controls" },
          h("span", { className: "hint" }, this.runs.length > 1 ? visible(run.name, 60) : ""),
          saver(view.id + (this.runs.length > 1 ? "-" + run.name : ""), () => figure, () => view.rows(run, state))), figure);
      })));
  }

  choices() {
    const names = this.runs.map(({ name, model }, i) =>
      [String(i), visible(name + (model?.file && !name.endsWith(model.file) ? " · " + model.file : ""), 70)]);
    part("runs").replaceChildren(
      ...(this.runs.length > 1
        ? [choice("Run", names, String(this.first), (i) => { this.first = Number(i); this.draw(); }),
           choice("beside", [[NONE, "nothing"], ...names], String(this.second ?? NONE), (i) => { this.second = i === NONE ? null : Number(i); this.draw(); })]
        : [h("span", { className: "hint" }, names[0]?.[1] ?? "")]));
  }
}

function theme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = part("theme");
  const now = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");
  const named = () => { button.textContent = now() === "dark" ? "Light" : "Dark"; button.setAttribute("aria-label", "Switch to the " + (now() === "dark" ? "light" : "dark") + " theme"); };
  button.addEventListener("click", () => {
    root.dataset.theme = now() === "dark" ? "light" : "dark";
    named();
    document.dispatchEvent(new Event("themed"));
  });
  dark.addEventListener("change", named);
  named();
}

async function begin() {
  theme();
  followPointer(document.body, part("tip"));
  const data = (part("data").textContent ?? "").trim();
  try {
    const page = new Page(await embedded(data));
    if (page.runs.length) await page.draw();
    else part("wait").textContent = "Waiting for the run …";
    follow(page);
  } catch (error) {
    part("main").replaceChildren(h("p", { className: "bad" }, "The results in this page cannot be shown: " + (error instanceof Error ? error.message : error)));
    say("The results cannot be shown");
    throw error;
  }
}

begin();
