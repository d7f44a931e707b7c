package org.modeltracer.gate.checks;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.language.Perplexity;
import org.modeltracer.language.PerplexityTally;
import org.modeltracer.language.TextReading;
import org.modeltracer.language.TextWindows;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.session.TracedSession;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.tokens.TokenType;
import org.modeltracer.tokens.UnsupportedTokenizer;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * Whether the model predicts a plain text better than the counts of the text's own tokens do.
 *
 * <p>The only check that sees weights which are wrong and yet give sound numbers: random ones,
 * matrices exchanged, columns shuffled.
 */
final class LanguagePerplexity extends Check {
  static final String ID = "language.perplexity";

  private static final double MOST_PIECES = 0.5;
  private static final int LEAST_POSITIONS = 16;

  /** Tags of models that were trained for something else than to continue a text. */
  private static final Set<String> SPECIAL =
      Set.of(
          "feature-extraction",
          "sentence-similarity",
          "sentence-transformers",
          "text-classification",
          "text-ranking",
          "reranker",
          "token-classification",
          "text-to-speech",
          "text-to-audio",
          "automatic-speech-recognition",
          "translation",
          "ocr");

  LanguagePerplexity() {
    super(
        ID, Needs.MODEL, "perplexity on a plain text is below that of the text's own token counts");
  }

  @Override
  CheckResult run(Subject subject) {
    special(subject.file(), subject.policy());
    Vocabulary vocabulary = subject.model().vocabulary();
    if (!vocabulary.usable()
        || subject.file().metadata().string("tokenizer.ggml.model").orElse("").equals("test")) {
      throw new NotApplicable("this model has no vocabulary that tokenizes text");
    }
    if (subject.model().hasEncoder()) {
      throw new NotApplicable("this model reads a text with an encoder: it does not predict it");
    }
    int[] tokens = vocabulary.tokenize(subject.policy().workload().text(), true, false);
    covered(subject.file(), tokens);
    var window = Math.max(2, Prompts.contextTokens(subject));
    TextWindows text = TextWindows.of(tokens, window, vocabulary);
    Perplexity perplexity = read(subject, text, window);
    if (perplexity.positions() + perplexity.notFinite() < LEAST_POSITIONS) {
      throw new NotApplicable(
          "the policy's text has %d tokens, too few to measure".formatted(tokens.length));
    }
    return judge(subject, perplexity);
  }

  /** Refuses models that say themselves that they are for something else. */
  private static void special(GgufFile file, Policy policy) {
    if (!file.causal()) {
      throw new NotApplicable("each token sees all of the text: this model does not predict it");
    }
    if (file.pooling().isPresent()) {
      throw new NotApplicable("the file says that it embeds texts (pooling_type)");
    }
    List<String> tags = file.metadata().strings("general.tags").orElse(List.of());
    for (String tag : tags) {
      if (SPECIAL.contains(tag.toLowerCase(Locale.ROOT))) {
        throw new NotApplicable("the file is tagged " + tag + ": it is not for general text");
      }
    }
    List<String> languages = file.metadata().strings("general.languages").orElse(List.of());
    if (!policy.workload().ownText()
        && !languages.isEmpty()
        && languages.stream().noneMatch(name -> name.toLowerCase(Locale.ROOT).startsWith("en"))) {
      throw new NotApplicable(
          "the file's languages are %s, the preset's text is English: name a text"
              .formatted(String.join(", ", languages)));
    }
  }

  /** Refuses a text for which the vocabulary has bytes and no words. */
  private static void covered(GgufFile file, int[] tokens) {
    GgufVocabulary vocabulary;
    try {
      vocabulary = GgufVocabulary.of(file);
    } catch (UnsupportedTokenizer unknown) {
      return;
    }
    long pieces = 0;
    for (int token : tokens) {
      TokenType type = vocabulary.type(token);
      pieces += type == TokenType.BYTE || type == TokenType.UNKNOWN ? 1 : 0;
    }
    if (pieces > MOST_PIECES * tokens.length) {
      throw new NotApplicable(
          "%d of the text's %d tokens are single bytes or unknown: name a text that the vocabulary is made for"
              .formatted(pieces, tokens.length));
    }
  }

  private static Perplexity read(Subject subject, TextWindows text, int window) {
    var options = Prompts.reading(subject, window);
    var tally = new PerplexityTally(text, subject.model().vocabulary());
    try (var tracer = ModelTracer.quiet(TracerConfig.disabled());
        var session = TracedSession.open(subject.model(), options, tracer)) {
      if (!session.generates()) {
        throw new NotApplicable("this model has no output matrix: it predicts nothing");
      }
      TextReading.read(session, text, tally, (done, all) -> {});
    }
    return tally.result();
  }

  private CheckResult judge(Subject subject, Perplexity p) {
    var check = new CheckResultBuilder(this, subject);
    check
        .signal("tokens", p.tokens())
        .signal("positions", p.positions())
        .signal("not_finite", p.notFinite())
        .signal("perplexity", p.perplexity())
        .signal("nats_per_token", p.nats())
        .signal("bits_per_byte", p.bitsPerByte())
        .signal("unigram_perplexity", p.unigramPerplexity())
        .signal("chance_perplexity", p.chancePerplexity());
    double limit = subject.policy().limit(ID + ".of_unigram");
    String numbers =
        "perplexity %.4g on %d tokens, %.3g from their counts alone, %.4g by chance"
            .formatted(p.perplexity(), p.tokens(), p.unigramPerplexity(), p.chancePerplexity());
    if (p.notFinite() > 0) {
      check.fails(
          Evidence.of(
              "not_finite",
              Severity.CRITICAL,
              "no probabilities at %d of %d positions: the scores are NaN or infinite"
                  .formatted(p.notFinite(), p.notFinite() + p.positions())));
    } else if (!(p.nats() < limit * p.unigramNats())) {
      check.fails(
          Evidence.of(
              "no_language",
              Severity.CRITICAL,
              numbers + ": the model predicts plain text no better than token counts do"));
      StrangeWeights.of(subject.file(), subject.runtime()).forEach(check::notes);
    }
    return check.result(numbers);
  }
}
