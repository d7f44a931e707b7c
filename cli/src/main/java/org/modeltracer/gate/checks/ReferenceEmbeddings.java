package org.modeltracer.gate.checks;

import org.modeltracer.quant.EmbeddingDivergence;

/** Whether the file embeds texts as its reference does, where both say how they do. */
final class ReferenceEmbeddings extends Check {
  ReferenceEmbeddings() {
    super(
        "reference.embeddings",
        Needs.REFERENCE,
        "cosine between the embeddings of a text by the file and by the reference");
  }

  @Override
  CheckResult run(Subject subject) {
    EmbeddingDivergence embeddings = subject.compared().embeddings();
    if (embeddings == null) {
      throw new NotApplicable("the model makes no embedding of a text (no pooling_type)");
    }
    double limit = subject.policy().limit("reference.embeddings.cosine");
    var check = new CheckResultBuilder(this, subject);
    check
        .signal("texts", embeddings.texts())
        .signal("cosine_mean", embeddings.cosineMean())
        .signal("cosine_min", embeddings.cosineMin())
        .signal("limit", limit);
    ReferenceCriteria.embeddings(embeddings, subject.policy()).forEach(check::fails);
    return check.result(
        "%d texts: cosine %.5f at least".formatted(embeddings.texts(), embeddings.cosineMin()));
  }
}
