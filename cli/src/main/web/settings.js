// What ran, and how: settings, hashes, versions.
import { h, visible } from "./dom.js";
import { DEFINITIONS } from "./definitions.js";
import { table } from "./chart.js";

/** @import { Run, View } from "./data.js" */

/** @type {View} */
export const settings = {
  id: "settings",
  title: "Settings and definitions",
  hint: "Everything needed to run it again: files with their hashes, llama.cpp, options. Numbers are defined in the tool's documentation; the short form is here.",
  has: () => true,
  draw(run) {
    return h("div", {}, h("div", { className: "wide" }, table(["setting", "value"], listed(run).map(([name, x]) => [name, visible(x, 300)]), "settings")),
      h("details", {}, h("summary", {}, "Definitions"), table(["name", "definition"], Object.entries(DEFINITIONS).map(([name, words]) => [name.replaceAll("_", " "), words]))));
  },
  rows: (run) => [["setting", "value"], ...listed(run)],
};

/** @param {Run} run */
function listed(run) {
  /** @type {string[][]} */
  const rows = [["documents", run.documents.map((document) => document.file).join(", ")]];
  const seen = new Set();
  /**
   * @param {string} name
   * @param {unknown} value
   */
  const add = (name, value) => {
    if (value === null || value === undefined || seen.has(name)) return;
    if (typeof value === "object" && !Array.isArray(value)) {
      for (const [field, each] of Object.entries(value)) add(name + "." + field, each);
      return;
    }
    seen.add(name);
    rows.push([name, Array.isArray(value) ? value.join(", ") : String(value)]);
  };
  for (const { json } of run.documents) {
    for (const part of ["tool", "runtime", "model", "reference", "config", "timing", "policy", "sampling", "steps"]) add(part, json[part]);
    if (json.prompt) {
      const { generated_text: generated, text: sent, ...prompt } = json.prompt;
      add("prompt", prompt);
    }
  }
  return rows;
}
