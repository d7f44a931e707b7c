package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.Place;
import org.modeltracer.session.GoldenSessionTest.Way;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.Listening;
import org.modeltracer.testing.Sample;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.testing.Vulkan;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Sessions on a Vulkan device, against PyTorch and against their own records. */
class VulkanSessionTest {
  /** Products of several columns round both sides to F16; so does flash attention. */
  private static final double HALF_ATTENTION = 1e-2;

  private static final double HALF_LOGITS = 5e-2;

  /** States of tinyllama-gqa are ten times as large, and the file's weights are rounded as well. */
  private static final double GROWTH = 10;

  @TempDir private static Path folder;
  private static LlamaRuntime runtime;

  @BeforeAll
  static void start() {
    runtime = Vulkan.runtime();
  }

  static List<Golden> goldens() {
    return Sample.of(Golden.all(), 5);
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void isWhatPyTorchComputedRoundedToHalf(Golden golden) {
    double growth = golden.exactFile() ? 1 : GROWTH;
    for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
      for (Way way : Way.values()) {
        if (flash == FlashAttention.ON && way == Way.UNEVEN_MICRO_BATCHES) {
          // Ends the process on Mesa 22.3.6, cause not found: docs/backends.md.
          continue;
        }
        var context = GoldenSessionTest.options(flash, way);
        var distance =
            GoldenSessionTest.distance(
                GoldenSessionTest.run(runtime, golden.file(), golden.ids(), context, way), golden);
        // One column at a time is multiplied in F32.
        boolean whole =
            golden.exactFile() && flash == FlashAttention.OFF && way == Way.TOKEN_BY_TOKEN;
        assertThat(distance.embedding()).isLessThan(golden.exactFile() ? 1e-6 : 2e-4);
        assertThat(distance.firstAttention())
            .as("%s, flash %s, first attention", way, flash)
            .isLessThan(whole ? 1e-5 : growth * HALF_ATTENTION / 2);
        assertThat(distance.attention())
            .as("%s, flash %s, attention", way, flash)
            .isLessThan(whole ? 1e-5 : growth * HALF_ATTENTION);
        assertThat(distance.logits())
            .as("%s, flash %s, logits", way, flash)
            .isLessThan(whole ? 1e-4 : growth * HALF_LOGITS);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void rowsAreByPositionWhateverHappenedToTheCache(boolean unified) {
    try (LlamaModel model = runtime.open(TinyModels.of("llama").write(folder));
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session =
            CachePropertyTest.open(model, CachePropertyTest.options(unified), tracer)) {
      var script = new CacheScript(session, Seen.of(session, tracer), 1, unified, 0, Set.of(), 6);
      for (int step = 0; step < 60; step++) {
        script.add();
        script.disturb();
      }
      assertThat(script.passes).isGreaterThan(30);
      assertThat(script.shifts).isPositive();
      assertThat(script.copies).isPositive();
      assertThat(CachePropertyTest.compare(model, script.finish(), HALF_ATTENTION)).isPositive();
    }
  }

  /** Only the CPU polls whether to go on: elsewhere a pass is cut short, and taken back. */
  @ParameterizedTest
  @ValueSource(ints = {Place.BEFORE_LAYERS, 0, 2})
  void aCancelledPassLeavesNothingBehind(int at) {
    Golden golden = Golden.load("tinyllama-mha", "text64");
    var options =
        SessionOptions.defaults()
            .withContext(GoldenSessionTest.options(FlashAttention.OFF, Way.UNEVEN_MICRO_BATCHES));
    try (LlamaModel model = runtime.open(golden.file());
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session = TracedSession.open(model, options, tracer)) {
      var stop = new boolean[] {true};
      session.listen(
          Listening.states(
              (layer, sequence, position, values, offset, width) -> {
                if (stop[0] && layer == at && position > 20) {
                  stop[0] = false;
                  session.cancel();
                }
              }));
      assertThatThrownBy(() -> session.evaluate(golden.ids(), true))
          .isInstanceOfSatisfying(
              LlamaException.class,
              e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.CANCELLED));
      int kept = session.cache().lastPosition(0) + 1;
      assertThat(kept).isLessThanOrEqualTo(26);
      Seen seen = Seen.of(session, tracer);
      session.cache().clear();
      session.evaluate(golden.ids(), true);
      assertThat(GoldenSessionTest.distance(seen, golden).attention()).isLessThan(HALF_ATTENTION);
    }
  }
}
