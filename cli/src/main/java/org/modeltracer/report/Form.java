package org.modeltracer.report;

import java.util.Locale;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/** What a document tells, recognized by keys that its schema demands and no other has. */
enum Form {
  SUMMARY("total_forwards", "anomalies"),
  ATTENTION("attention_weights", "head_specialization"),
  PICTURES("tokens_left_out", "norms"),
  HEADS("heads", "sequences"),
  LENS("positions", "steps"),
  DIFF("nodes", "first_divergence"),
  CHECK("checks", "policy"),
  DOCTOR("suspects", "answer"),
  PERPLEXITY("perplexity", "unigram_perplexity"),
  SPARSE("indexer", "policies");

  private final String one;
  private final String other;

  Form(String one, String other) {
    this.one = one;
    this.other = other;
  }

  static Optional<Form> of(JsonNode json) {
    for (Form form : values()) {
      if (json.has(form.one) && json.has(form.other)) {
        return Optional.of(form);
      }
    }
    return Optional.empty();
  }

  /** Name within the page. */
  String id() {
    return name().toLowerCase(Locale.ROOT);
  }
}
