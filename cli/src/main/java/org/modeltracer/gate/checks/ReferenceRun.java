package org.modeltracer.gate.checks;

import java.nio.file.Path;
import java.util.Random;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Engine;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.quant.Comparison;
import org.modeltracer.quant.ComparisonOptions;
import org.modeltracer.quant.QuantizationReport;
import org.modeltracer.quant.Setup;

/**
 * The file and its reference on the same tokens.
 *
 * <p>They read a text of their own and not the policy's prompts, as a divergence takes some hundred
 * positions to be measured.
 */
final class ReferenceRun {
  private static final int RANDOM_TOKENS = 256;

  private ReferenceRun() {}

  /**
   * Compares the two, each layer's own error included.
   *
   * @throws org.modeltracer.llama.LlamaException of kind ARGUMENT when they are not the same model
   */
  static QuantizationReport of(Subject subject, Path reference) {
    Policy policy = subject.policy();
    ContextOptions context =
        Prompts.context(subject)
            .withBatch(Setup.MICRO_BATCH, Setup.MICRO_BATCH)
            .withContextTokens(Math.max(2, Prompts.contextTokens(subject)));
    Engine engine = subject.request().engine();
    var one = new Setup(reference, engine, context);
    var other = new Setup(subject.request().file(), engine, context);
    var options =
        new ComparisonOptions(false, true, ComparisonOptions.TOLERANCE, policy.thresholds());
    try (Comparison comparison = Comparison.open(one, other)) {
      return comparison.run(
          tokens(comparison.vocabulary(), policy.workload().seed()), options, (done, all) -> {});
    }
  }

  private static int[] tokens(Vocabulary vocabulary, long seed) {
    return vocabulary.usable()
        ? vocabulary.tokenize(Comparison.defaultText(), true, false)
        : new Random(seed).ints(RANDOM_TOKENS, 0, vocabulary.size()).toArray();
  }
}
