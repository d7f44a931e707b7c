// What is wrong, first: verdict, root cause, and the way from the guilty weight to the logits.
import { h, number, percent, visible } from "./dom.js";
import { table } from "./chart.js";
import { order, siteName } from "./sites.js";

/** @import { Run, View } from "./data.js" */

/**
 * @typedef {import("./data.js").Documents} Documents
 * @typedef {Documents["summary"]["anomalies"]["list"]} Anomalies
 */

const SEVERITIES = ["critical", "warning", "info"];

/**
 * What the gate said, by itself or in the summary of a file that it has judged.
 *
 * @param {Run} run
 * @returns {Pick<Documents["check"], "verdict" | "checks"> | null}
 */
const checksOf = (run) => run.of("check") ?? /** @type {Documents["check"] | null} */ (run.of("summary")?.verdict ?? null);

/** @type {View} */
export const verdict = {
  id: "verdict",
  title: "Verdict",
  hint: "The answer of each analysis, and what it was found on. A root cause is the first operation whose output is bad while its inputs are finite; what follows it on the way to the logits is its consequence.",
  has: () => true,
  draw(run) {
    const parts = [
      gate(checksOf(run)),
      doctor(run.of("doctor")),
      anomalies(run.of("summary")?.anomalies),
      difference(run.of("diff")),
      language(run.of("perplexity")),
      selection(run.of("sparse")?.policies, run.of("sparse")?.indexer ?? run.of("summary")?.indexer),
      insights(run.of("attention")),
    ].filter((part) => part);
    return h("div", {}, parts.length ? parts : h("p", {}, "None of these results judges the model; the views below show them."));
  },
  rows(run) {
    const list = run.of("summary")?.anomalies.list ?? [];
    const checks = checksOf(run)?.checks ?? [];
    return [["what", "severity", "kind", "site", "layer", "tensor", "position", "times", "message", "cause", "weight"],
      ...checks.map((c) => ["check", c.verdict, c.id, null, null, null, null, null, c.message, null, null]),
      ...list.map((a) => ["anomaly", a.severity, a.kind, a.site, a.layer, a.tensor, a.position, a.repeats + 1, a.message,
        a.root_cause?.cause ?? null, a.root_cause?.weight ?? null])];
  },
};

/** @param {Pick<Documents["check"], "verdict" | "checks"> | null | undefined} check */
function gate(check) {
  if (!check) return null;
  /** @type {Record<string, string[]>} */
  const marks = { pass: ["✔", "good"], fail: ["✘", "bad"], skipped: ["–", ""], error: ["!", "bad"] };
  return h("div", {},
    h("p", { className: "answer " + (marks[check.verdict]?.[1] ?? "") }, "Gate: " + String(check.verdict).toUpperCase()),
    table(["", "check", "what was found"], check.checks.filter((c) => c.verdict !== "skipped").map((c) => [
      h("span", { className: marks[c.verdict]?.[1] ?? "" }, (marks[c.verdict]?.[0] ?? "?") + " " + c.verdict),
      c.id, visible(c.message, 400)])));
}

/** @param {Documents["doctor"] | null} found */
function doctor(found) {
  if (!found) return null;
  return h("div", {},
    h("p", { className: "answer" }, visible(found.answer, 600)),
    found.suspects.map((suspect) => h("div", {}, h("h3", {}, visible(suspect.sentence, 400)),
      h("ul", {}, [...suspect.evidence, ...suspect.advice.map((words) => "Try: " + words)].map((words) => h("li", {}, visible(words, 400)))))),
    found.noticed?.length ? [h("h3", {}, "Noticed, but not a fault in itself"), h("ul", {}, found.noticed.map((words) => h("li", {}, visible(words, 400))))] : null,
    found.not_looked_at?.length ? h("p", { className: "hint" }, "Not looked at: " + visible(found.not_looked_at.join(", "), 600)) : null);
}

/** @param {Documents["summary"]["anomalies"] | undefined} found */
function anomalies(found) {
  if (!found) return null;
  if (!found.list.length) return h("p", { className: "answer good" }, "No anomalies");
  /** @type {Map<string, HTMLElement>} */
  const causes = new Map();
  for (const anomaly of found.list) {
    const root = anomaly.root_cause;
    if (!root) continue;
    const name = root.weight ?? root.message;
    // Of one weight the first that was found tells, with what followed from it.
    if (!causes.has(name)) causes.set(name, cause(root, anomaly, found.list));
  }
  const worst = [...found.list].sort((a, b) =>
    SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || a.id - b.id);
  return h("div", {},
    [...causes.values()],
    h("p", { className: causes.size ? "" : "answer warn" }, number(found.total) + (found.total === 1 ? " anomaly: " : " anomalies: ") +
      Object.entries(found.by_severity).map(([severity, n]) => number(n) + " " + severity).join(", ")),
    h("div", { className: "wide" }, table(["severity", "kind", "place", "position", "times", "what"], worst.slice(0, 50).map((a) => [
      h("span", { className: a.severity === "critical" ? "bad" : a.severity === "warning" ? "warn" : "" }, a.severity),
      a.kind, siteName(a.layer, a.site), a.position, a.repeats + 1, visible(a.message, 400)]))));
}

/**
 * @param {NonNullable<Anomalies[number]["root_cause"]>} root
 * @param {Anomalies[number]} first
 * @param {Anomalies} all
 */
function cause(root, first, all) {
  return h("div", {},
    h("p", { className: "answer bad" }, "Root cause: " + visible(root.message, 600)),
    h("ol", { className: "path", "aria-label": "From the cause to the logits" },
      pathOf(root, first, all).map((step) => h("li", {}, visible(step, 120)))),
    root.notes.map((note) => h("p", { className: "hint" }, visible(note, 400))));
}

/**
 * Places in the order of the graph: the weight, the operation, and all behind it that went bad.
 *
 * @param {NonNullable<Anomalies[number]["root_cause"]>} root
 * @param {Anomalies[number]} first
 * @param {Anomalies} all
 */
function pathOf(root, first, all) {
  const steps = root.weight ? [root.weight] : [];
  steps.push(root.node + " (" + root.op + ")");
  const from = order(first.layer, first.site);
  const places = new Map();
  for (const anomaly of all) {
    const at = order(anomaly.layer, anomaly.site);
    if (anomaly.site && at > from && (anomaly.forward ?? 0) >= (first.forward ?? 0)) places.set(at, siteName(anomaly.layer, anomaly.site));
  }
  return [...steps, ...[...places].sort(([a], [b]) => a - b).map(([, name]) => name)];
}

/** @param {Documents["diff"] | null} diff */
function difference(diff) {
  if (!diff) return null;
  const l = diff.logits;
  return h("div", {},
    h("p", { className: "answer" }, visible(diff.model.file) + " against " + visible(diff.reference.file)),
    l && h("p", {}, divergence(l)),
    diff.first_divergence && h("p", {}, "First divergence: " + visible(diff.first_divergence.tensor) + " at position " + diff.first_divergence.position));
}

/** @param {NonNullable<Documents["perplexity"]["divergence"]>} of */
function divergence(of) {
  return "mean KL " + number(of.kl_mean) + " nats (99 %: " + number(of.kl_p99) + "), same first token at " +
    percent(of.same_top1) + " of " + number(of.positions) + " positions, perplexity " + number(of.perplexity, 4) +
    " against " + number(of.perplexity_reference, 4);
}

/** @param {Documents["perplexity"] | null} found */
function language(found) {
  if (!found) return null;
  return h("div", {}, h("p", { className: "answer" }, "Perplexity " + number(found.perplexity, 4) + " on " + number(found.positions) + " positions; " +
    number(found.unigram_perplexity, 4) + " from the counts of tokens alone, " + number(found.chance_perplexity, 4) + " by chance"),
    found.divergence && h("p", {}, divergence(found.divergence)));
}

/**
 * @param {Documents["sparse"]["policies"] | undefined} policies
 * @param {Documents["summary"]["indexer"] | Documents["sparse"]["indexer"] | undefined} indexer
 */
function selection(policies, indexer) {
  if (policies) {
    const sparse = policies.layers.filter((layer) => layer.policy);
    return h("p", { className: "answer" }, number(sparse.length) + " of " + number(policies.layers.length) + " layers could attend to a selection and keep " + percent(policies.target) + " of their attention mass");
  }
  if (!indexer) return null;
  if (!indexer.exercised) return h("p", { className: "answer warn" }, visible(indexer.not_exercised, 300));
  return h("div", {}, indexer.layers.map((layer) => (layer.recall === null ? null : h("p", {}, "Layer " + layer.layer + ": the indexer covers " + percent(layer.recall) +
    " of the attention mass, of " + percent(layer.best) + " at best and " + percent(layer.chance) + " by chance" + mistake(layer)))));
}

/** @param {object} layer */
function mistake(layer) {
  const found = "diagnosis" in layer ? /** @type {{ mistake?: string | null } | null} */ (layer.diagnosis)?.mistake : null;
  return found ? "; mistake: " + found.replaceAll("_", " ") : "";
}

/** @param {Documents["attention"] | null} attention */
function insights(attention) {
  const found = attention?.attention_stats.insights ?? [];
  if (!found.length) return null;
  return h("div", {}, h("h3", {}, "What stands out in the attention"),
    h("ul", {}, found.map((insight) => h("li", { tip: insight.confidence_means + (insight.correlational ? "\ncorrelational" : "") },
      visible(insight.description, 400)))));
}
