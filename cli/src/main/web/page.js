// The page: runs, views in their order, theme, links between two runs.
import { choice, followPointer, h, say, visible } from "./dom.js";
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

const VIEWS = [verdict, map, text, lens, heads, patterns, flow, cache, activations, quantization, sparse, settings];
const NONE = "none";

class Page {
  #states = new Map(VIEWS.map((view) => [view, {}]));

  constructor(runs) {
    this.runs = runs;
    this.first = 0;
    this.second = NONE;
  }

  get shown() {
    return [this.first, this.second].filter((i) => i !== NONE).map((i) => this.runs[i]);
  }

  /** Draws everything, a view after the other, so that the first is seen before the last is done. */
  async draw() {
    this.choices();
    const views = VIEWS.filter((view) => this.shown.some((run) => view.has(run)));
    document.getElementById("views").replaceChildren(...views.map((view) => h("a", { href: "#" + view.id }, view.title)));
    const main = document.getElementById("main");
    // Sections that stay keep their place, so that nobody who reads loses theirs.
    const sections = views.map((view) => document.getElementById(view.id) ?? h("section", { id: view.id, "aria-labelledby": view.id + "-title" }));
    if (main.children.length !== sections.length || sections.some((section, i) => main.children[i] !== section)) main.replaceChildren(...sections);
    for (let i = 0; i < views.length; i++) {
      this.view(views[i], sections[i]);
      await new Promise((next) => setTimeout(next));
    }
    document.documentElement.dataset.drawn = "yes";
  }

  view(view, section) {
    const state = this.#states.get(view);
    const redraw = (opened = false) => {
      const focused = document.activeElement?.dataset?.key;
      this.view(view, section);
      if (focused) section.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
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
    const names = this.runs.map((run, i) => [String(i), visible(run.name + (run.model?.file ? " · " + run.model.file : ""), 70)]);
    const chosen = (value) => (value === NONE ? NONE : Number(value));
    document.getElementById("runs").replaceChildren(
      ...(this.runs.length > 1
        ? [choice("Run", names, String(this.first), (i) => { this.first = chosen(i); this.draw(); }),
           choice("beside", [[NONE, "nothing"], ...names], String(this.second), (i) => { this.second = chosen(i); this.draw(); })]
        : [h("span", { className: "hint" }, names[0]?.[1] ?? "")]));
  }
}

function theme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
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
  followPointer(document.body, document.getElementById("tip"));
  const data = document.getElementById("data").textContent.trim();
  try {
    const page = new Page(await embedded(data));
    if (page.runs.length) await page.draw();
    else document.getElementById("wait").textContent = "Waiting for the run …";
    follow(page);
  } catch (error) {
    document.getElementById("main").replaceChildren(h("p", { className: "bad" }, "The results in this page cannot be shown: " + error.message));
    say("The results cannot be shown");
    throw error;
  }
}

begin();
