package org.modeltracer.gate.checks;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.IndexedLayer;
import org.modeltracer.sparse.IndexerReport;
import org.modeltracer.sparse.IndexerTrace;
import org.modeltracer.sparse.PortDiagnosis;
import org.modeltracer.sparse.PortMistake;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * Whether the keys that a sparse model's indexer selects hold the attention that it would pay to
 * all of them.
 *
 * <p>Nothing shows while a text is no longer than what is selected. So the policy's texts are read
 * as one, over and over, up to twice that length or as far as the policy's context reaches.
 */
final class AttentionSparse extends Check {
  private static final String ID = "attention.sparse";

  AttentionSparse() {
    super(ID, Needs.MODEL, "the keys that an indexer selects hold what attention would pay to all");
  }

  @Override
  List<AnomalyKind> anomalies() {
    return List.of(AnomalyKind.INDEXER_RECALL);
  }

  @Override
  CheckResult run(Subject subject) {
    IndexerTrace prompts = subject.traced().indexer();
    if (prompts == null) {
      throw new NotApplicable("no layer of this model selects keys");
    }
    long selected = selected(subject.file(), prompts.report());
    int context = Prompts.contextTokens(subject);
    var check = new CheckResultBuilder(this, subject);
    check.signal("top_k", selected).signal("context", context);
    if (context <= selected) {
      return check.skipped(notExercised(subject, selected));
    }
    IndexerReport report = read(subject, prompts, (int) Math.min(context, 2 * selected));
    return judge(subject, report, selected, check);
  }

  /** Keys that are selected of a long text: graphs show no more than there are. */
  private static long selected(GgufFile file, IndexerReport seen) {
    int most = seen.layers().stream().mapToInt(IndexedLayer::topK).max().orElse(1);
    String name = file.architecture().orElse("");
    return file.metadata().integer(name + ".attention.indexer.top_k").orElse(most);
  }

  private static String notExercised(Subject subject, long selected) {
    long context = 2 * selected;
    int trained = subject.model().trainedContext();
    return "not exercised: %,d keys are selected, and no query of a context of %,d sees more; %s"
        .formatted(
            selected,
            Prompts.contextTokens(subject),
            trained > 0 && trained <= selected
                ? "the model was trained on no longer texts"
                : "a policy with context: %d tests it"
                    .formatted(trained > 0 ? Math.min(trained, context) : context));
  }

  /** Reads a long text, and adds what the prompts showed. */
  private static IndexerReport read(Subject subject, IndexerTrace prompts, int length) {
    var config =
        TracerConfig.builder().kvCache(true).thresholds(subject.policy().thresholds()).build();
    try (var tracer = ModelTracer.quiet(config);
        var session =
            TracedSession.open(subject.model(), Prompts.reading(subject, length), tracer);
        var trace = IndexerTrace.beside(session, tracer).orElseThrow()) {
      trace.begin();
      session.evaluate(text(subject, length), false);
      trace.merge(prompts);
      return trace.report();
    }
  }

  private static int[] text(Subject subject, int length) {
    Vocabulary vocabulary = subject.model().vocabulary();
    if (!vocabulary.usable()) {
      long seed = subject.policy().workload().seed();
      return new Random(seed).ints(length, 0, vocabulary.size()).toArray();
    }
    var texts = new ArrayList<int[]>(subject.prompts().tokens());
    texts.add(vocabulary.tokenize(subject.policy().workload().text(), false, false));
    int[] all = texts.stream().flatMapToInt(IntStream::of).toArray();
    return IntStream.range(0, length).map(i -> all[i % all.length]).toArray();
  }

  private static CheckResult judge(
      Subject subject, IndexerReport report, long selected, CheckResultBuilder check) {
    double limit = subject.policy().limit(ID + ".recall");
    int enough = subject.policy().thresholds().indexerQueries();
    double least = Double.POSITIVE_INFINITY;
    long queries = 0;
    int judged = 0;
    for (IndexedLayer layer : report.layers()) {
      Double recall = layer.recall();
      Double best = layer.best();
      if (recall == null || best == null || layer.measured() < enough) {
        continue;
      }
      judged++;
      queries += layer.measured();
      double reached = recall / best;
      least = Math.min(least, reached);
      Evidence mistake = mistake(layer);
      if (mistake != null) {
        check.judge(mistake);
      }
      if (reached < limit) {
        check.judge(poor(layer, recall, best, limit));
      }
    }
    check
        .signal("layers", report.layers().size())
        .signal("layers_judged", judged)
        .signal("queries", queries)
        .signal("recall", report.recall())
        .signal("recall_of_best_least", least)
        .signal("limit", limit);
    if (judged == 0) {
      String absent = report.layers().stream().map(IndexedLayer::absent).findFirst().orElse(null);
      return check.skipped(unjudged(absent, enough, selected));
    }
    return check.result(
        "recall %.2f in %d of %d layers, at least %.2f of what %,d keys can hold"
            .formatted(report.recall(), judged, report.layers().size(), least, selected));
  }

  private static String unjudged(@Nullable String absent, int enough, long selected) {
    return absent != null
        ? "no recall: " + absent
        : "not exercised: fewer than %d queries saw more than the %,d keys that are selected"
            .formatted(enough, selected);
  }

  private static @Nullable Evidence mistake(IndexedLayer layer) {
    PortDiagnosis diagnosis = layer.diagnosis();
    String sentence = diagnosis == null ? null : diagnosis.sentence(layer.layer());
    if (diagnosis == null || sentence == null) {
      return null;
    }
    boolean selects = diagnosis.mistake() != PortMistake.SCALE;
    return Evidence.ofTensor(
        "port_mistake",
        selects ? Severity.CRITICAL : Severity.WARNING,
        "indexer_score-" + layer.layer(),
        layer.layer(),
        sentence);
  }

  private static Evidence poor(IndexedLayer layer, double recall, double best, double limit) {
    return Evidence.ofTensor(
        AnomalyKind.INDEXER_RECALL.id(),
        Severity.WARNING,
        "indexer_score-" + layer.layer(),
        layer.layer(),
        "layer %d: selected keys hold %.2f of the attention mass, as many could %.2f, by chance %.2f: less than %.4g of the best"
            .formatted(layer.layer(), recall, best, layer.chance(), limit));
  }
}
