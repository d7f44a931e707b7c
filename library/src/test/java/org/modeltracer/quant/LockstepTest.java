package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Golden;

class LockstepTest {
  private static final Setup REFERENCE = Texts.setup("tinyllama-mha-f32.gguf", 64, 20);
  private static final Setup OTHER = Texts.setup("tinyllama-mha-Q4_0.gguf", 64, 20);

  /** A partner whose nodes come in another order, as in another graph. */
  private static final class Reordered implements Partner {
    private final Partner inner;
    private final List<Frame> frames = new ArrayList<>();
    private int next;

    Reordered(Partner inner, int[] tokens, Random random, int distance) {
      this.inner = inner;
      Set<String> all = inner.nodes().stream().map(NodeInfo::key).collect(Collectors.toSet());
      inner.begin(tokens, all, Set.of());
      for (Frame frame = inner.next(); frame != null; frame = inner.next()) {
        frames.add(frame.kept());
      }
      for (int i = 0; i < frames.size(); i += distance) {
        List<Frame> some = frames.subList(i, Math.min(frames.size(), i + distance));
        if (some.getFirst().firstPosition() == some.getLast().firstPosition()) {
          Collections.shuffle(some, random);
        }
      }
    }

    @Override
    public String version() {
      return inner.version();
    }

    @Override
    public boolean offloads() {
      return inner.offloads();
    }

    @Override
    public List<NodeInfo> nodes() {
      return inner.nodes();
    }

    @Override
    public void begin(int[] tokens, Set<String> wanted, Set<String> steered) {
      next = 0;
    }

    @Override
    public @Nullable Frame next() {
      return next == frames.size() ? null : frames.get(next++);
    }

    @Override
    public void answer(@Nullable MemorySegment values) {}

    @Override
    public void abandon() {}

    @Override
    public void close() {}
  }

  /** What was compared with what, and by how much it differed. */
  private static Set<String> meetings(
      OpenModel reference, Partner partner, int[] tokens, AtomicInteger kept) {
    Set<String> met = new HashSet<>();
    List<NodePair> pairs = NodePair.of(reference.session().nodes(), partner.nodes());
    var tally = new ErrorTally(pairs, null, 0);
    var lockstep =
        new Lockstep(
            reference,
            partner,
            pairs,
            _ -> false,
            (pair, position, rows, width, a, b) -> {
              assertThat(met.add(pair.index() + "@" + position)).isTrue();
              tally.compare(pair, position, rows, width, a, b);
            });
    lockstep.run(tokens);
    kept.set(lockstep.mostKept());
    for (NodePair pair : pairs) {
      met.add(pair + " " + tally.of(pair).error());
    }
    met.add(String.valueOf(tally.first()));
    return met;
  }

  @RepeatedTest(6)
  void anotherOrderOfTheSameNodesChangesNothing(RepetitionInfo repetition) {
    int[] tokens = Texts.tokens();
    var kept = new AtomicInteger();
    LlamaRuntime runtime = LlamaRuntime.load();
    try (var reference = new OpenModel(runtime, REFERENCE);
        var partner = new ThreadPartner(runtime, OTHER)) {
      Set<String> expected = meetings(reference, partner, tokens, kept);
      assertThat(kept).hasValue(0);
      assertThat(expected).hasSizeGreaterThan(3 * 70);
      int distance = 1 + 2 * repetition.getCurrentRepetition();
      var random = new Random(repetition.getCurrentRepetition());
      var reordered = new Reordered(partner, tokens, random, distance);
      assertThat(meetings(reference, reordered, tokens, kept)).isEqualTo(expected);
      assertThat(kept.get()).isBetween(1, distance);
    }
  }

  @Test
  void aFailureOnTheWayLeavesBothSidesUsable() {
    try (var comparison = Comparison.open(REFERENCE, OTHER)) {
      int[] tokens = Texts.tokens();
      ComparisonOptions options = ComparisonOptions.defaults();
      QuantizationReport expected = comparison.run(tokens, options, (done, all) -> {});
      var failure = new IllegalStateException("made up");
      for (int at : new int[] {20, 64, 84, 128}) {
        assertThatThrownBy(
                () ->
                    comparison.run(
                        tokens,
                        options,
                        (done, all) -> {
                          if (done == at) {
                            throw failure;
                          }
                        }))
            .isSameAs(failure);
        assertThat(comparison.run(tokens, options, (done, all) -> {})).isEqualTo(expected);
      }
      int[] wrong = {1, 2, 100_000};
      assertThatThrownBy(() -> comparison.run(wrong, options, (done, all) -> {}))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("token 100000 is outside the vocabulary");
      assertThat(comparison.run(tokens, options, (done, all) -> {})).isEqualTo(expected);
    }
  }

  @Test
  void cancellingEndsItSoon() {
    try (var comparison = Comparison.open(REFERENCE, OTHER)) {
      int[] tokens = Texts.tokens();
      assertThatThrownBy(
              () ->
                  comparison.run(
                      tokens,
                      ComparisonOptions.defaults(),
                      (done, all) -> {
                        assertThat(done).isEqualTo(20);
                        comparison.cancel();
                      }))
          .isInstanceOfSatisfying(
              LlamaException.class,
              e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.CANCELLED));
    }
  }

  /** Nothing is kept: one node is in memory at a time, however many layers there are. */
  @Test
  void progressIsToldAndNothingIsKeptWhereTheGraphsAreTheSame() {
    for (String model : new String[] {"rand-gemma2-f32.gguf", "rand-mixtral-f32.gguf"}) {
      Setup setup = Texts.setup(Golden.model(model), 32, 16);
      try (var comparison = Comparison.open(setup, setup)) {
        var told = new ArrayList<Long>();
        QuantizationReport report =
            comparison.run(
                new int[32],
                ComparisonOptions.defaults(),
                (done, all) -> {
                  assertThat(all).isEqualTo(96);
                  told.add(done);
                });
        assertThat(told).containsExactly(16L, 32L, 48L, 64L, 80L, 96L);
        assertThat(comparison.mostKept()).isZero();
        assertThat(report.nodes())
            .isNotEmpty()
            .allMatch(node -> node.accumulated().relativeL2() == 0);
      }
    }
  }
}
