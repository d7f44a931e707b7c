package org.modeltracer.gate.checks;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.quant.Setup;
import org.modeltracer.session.SessionOptions;

/**
 * The prompts of a policy as token ids, cut to what the model can read and still continue.
 *
 * @param tokens ids per prompt, none empty
 * @param random whether the ids are random, as the model has no vocabulary to read text with
 * @param cut prompts that were cut short
 */
record Prompts(List<int[]> tokens, boolean random, int cut) {
  private static final int RANDOM_TOKENS = 32;
  private static final int BATCH = 512;

  static Prompts of(Subject subject) {
    Policy.Workload work = subject.policy().workload();
    Vocabulary vocabulary = subject.model().vocabulary();
    int most = Math.max(1, contextTokens(subject) - work.tokens());
    var all = new ArrayList<int[]>();
    int cut = 0;
    for (int i = 0; i < work.prompts().size(); i++) {
      int[] ids =
          vocabulary.usable()
              ? vocabulary.tokenize(work.prompts().get(i), true, true)
              : new Random(work.seed() + i).ints(RANDOM_TOKENS, 0, vocabulary.size()).toArray();
      cut += ids.length > most ? 1 : 0;
      if (ids.length > 0) {
        all.add(Arrays.copyOf(ids, Math.min(most, ids.length)));
      }
    }
    if (all.isEmpty()) {
      throw new NotApplicable("no prompt of the policy has a token in this model's vocabulary");
    }
    return new Prompts(List.copyOf(all), !vocabulary.usable(), cut);
  }

  /** Tokens of context: as the policy wants, but no more than the model was trained on. */
  static int contextTokens(Subject subject) {
    int trained = subject.model().trainedContext();
    int wanted = subject.policy().workload().context();
    return trained > 0 ? Math.min(trained, wanted) : wanted;
  }

  /** How contexts are set up for the checks. */
  static ContextOptions context(Subject subject) {
    return ContextOptions.defaults()
        .withContextTokens(contextTokens(subject))
        .withBatch(BATCH, BATCH)
        .withThreads(subject.policy().workload().threads(), subject.file());
  }

  /** How sessions are set up that read a text in windows of so many tokens, without a tracer. */
  static SessionOptions reading(Subject subject, int window) {
    return SessionOptions.defaults()
        .withContext(
            context(subject)
                .withContextTokens(window)
                .withBatch(Setup.MICRO_BATCH, Setup.MICRO_BATCH));
  }

  /** Number of tokens of all prompts. */
  int size() {
    return tokens.stream().mapToInt(ids -> ids.length).sum();
  }

  /** All ids as little-endian int32, prompt after prompt. */
  byte[] bytes() {
    ByteBuffer bytes = ByteBuffer.allocate(4 * size()).order(ByteOrder.LITTLE_ENDIAN);
    tokens.forEach(ids -> Arrays.stream(ids).forEach(bytes::putInt));
    return bytes.array();
  }
}
