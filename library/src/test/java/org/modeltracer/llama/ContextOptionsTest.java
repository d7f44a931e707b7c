package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Golden;

/** What settings do to the numbers, on every generation. */
class ContextOptionsTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final Golden GOLDEN = Golden.load("tinyllama-mha", "text64");

  static Stream<Arguments> cacheTypes() {
    return Runtimes.all()
        .flatMap(runtime -> Stream.of(CacheType.values()).map(type -> Arguments.of(runtime, type)));
  }

  /** How far a cache of that type may take logits that reach 12, measured and doubled. */
  private static double tolerance(CacheType type) {
    return switch (type) {
      case F32 -> 1e-4;
      case F16 -> 0.06;
      case BF16, Q8_0 -> 0.5;
      case Q4_0, Q4_1, IQ4_NL, Q5_0, Q5_1 -> 8;
    };
  }

  private static double distance(LlamaRuntime runtime, ContextOptions options) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(options)) {
      return Passes.distance(Passes.decode(context, GOLDEN.ids(), 0), GOLDEN.logits());
    }
  }

  @ParameterizedTest
  @MethodSource("cacheTypes")
  void everyTypeOfKeys(LlamaRuntime runtime, CacheType type) {
    ContextOptions options = Passes.EXACT.withCacheTypes(type, CacheType.F32);
    assertThat(distance(runtime, options)).isLessThan(tolerance(type));
  }

  @ParameterizedTest
  @MethodSource("cacheTypes")
  void everyTypeOfValuesWithFlashAttention(LlamaRuntime runtime, CacheType type) {
    ContextOptions options =
        Passes.EXACT.withFlashAttention(FlashAttention.ON).withCacheTypes(CacheType.F16, type);
    boolean old = runtime.layouts().context().field("op_offload").isEmpty();
    if (old && type == CacheType.F32) {
      assertThatThrownBy(() -> distance(runtime, options))
          .isInstanceOfSatisfying(
              LlamaException.class,
              e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.CONTEXT))
          .hasMessageEndingWith(
              "has no flash attention over an F32 cache; use no flash attention, or an F16 cache");
    } else {
      // Flash attention rounds to F16 whatever the cache holds.
      double f16 = tolerance(CacheType.F16);
      assertThat(distance(runtime, options)).isLessThan(Math.max(f16, tolerance(type)));
    }
  }

  @ParameterizedTest
  @MethodSource("cacheTypes")
  void quantizedValuesNeedFlashAttention(LlamaRuntime runtime, CacheType type) {
    ContextOptions options = Passes.EXACT.withCacheTypes(CacheType.F16, type);
    switch (type) {
      case F32, F16, BF16 -> assertThat(distance(runtime, options)).isLessThan(0.5);
      case Q8_0, Q4_0, Q4_1, IQ4_NL, Q5_0, Q5_1 ->
          assertThatThrownBy(() -> distance(runtime, options))
              .isInstanceOf(LlamaException.class)
              .hasMessageMatching("llama.cpp cannot set up a context: .*V cache.*flash_attn.*");
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void flashAttentionIsCloseAndLeavesNoSoftmaxBehind(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file())) {
      for (FlashAttention flash : FlashAttention.values()) {
        ContextOptions options =
            ContextOptions.defaults().withContextTokens(256).withFlashAttention(flash);
        try (LlamaContext context = model.context(options)) {
          int[] softmax = new int[1];
          context.observe(
              new TensorObserver() {
                @Override
                public boolean wants(Tensor node) {
                  softmax[0] += node.op() == Op.SOFT_MAX ? 1 : 0;
                  return false;
                }

                @Override
                public void observe(Tensor node) {}
              });
          double distance =
              Passes.distance(Passes.decode(context, GOLDEN.ids(), 0), GOLDEN.logits());
          assertThat(distance).isBetween(1e-4, 0.06);
          boolean auto = runtime.layouts().context().field("flash_attn_type").isPresent();
          boolean fused = flash == FlashAttention.ON || flash == FlashAttention.AUTO && auto;
          assertThat(softmax[0]).as("%s", flash).isEqualTo(fused ? 0 : 4);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void contextTokensAndBatch(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file())) {
      try (LlamaContext context = model.context(ContextOptions.defaults())) {
        assertThat(context.contextTokens()).isEqualTo(model.trainedContext());
        assertThat(context.model()).isSameAs(model);
        assertThat(context.options()).isEqualTo(ContextOptions.defaults());
      }
      ContextOptions options = Passes.EXACT.withContextTokens(128).withBatch(24, 48);
      try (LlamaContext context = model.context(options)) {
        assertThat(context.contextTokens()).isBetween(128, 256);
        assertThat(context.batch().capacity()).isGreaterThanOrEqualTo(24);
      }
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aModelWithoutWeightsCannotWork(LlamaRuntime runtime) {
    ModelOptions words = ModelOptions.defaults().withVocabularyOnly(true);
    try (LlamaModel model = runtime.open(GOLDEN.file(), words)) {
      assertThatThrownBy(() -> model.context(Passes.EXACT))
          .isInstanceOf(LlamaException.class)
          .hasMessage("this model was loaded without weights, vocabulary only");
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void moreThreadsGetAPoolWhereTheLibraryWouldMakeOnePerGraph(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext one = model.context(Passes.EXACT);
        LlamaContext two = model.context(Passes.EXACT.withThreads(2))) {
      assertThat(one.threadPool().attached()).isFalse();
      boolean openMp = runtime.systemInfo().contains("OPENMP = 1");
      assertThat(two.threadPool().attached()).isEqualTo(!openMp);
      boolean linux = System.getProperty("os.name").equals("Linux");
      assertThat(two.threadPool().canRest()).isEqualTo(!openMp && linux);
      float[][] logits = Passes.decode(two, Passes.slice(GOLDEN.ids(), 0, 8), 0);
      assertThat(Passes.distance(logits[7], GOLDEN.logits()[7])).isLessThan(1e-4);
    }
  }

  @Test
  void numbersThatMeanNothing() {
    ContextOptions options = ContextOptions.defaults();
    assertThatThrownBy(() -> options.withContextTokens(-1))
        .isInstanceOf(LlamaException.class)
        .hasMessage("context tokens must be at least 0, not -1");
    assertThatThrownBy(() -> options.withBatch(0, 1)).hasMessageStartingWith("batch must");
    assertThatThrownBy(() -> options.withBatch(1, 0)).hasMessageStartingWith("micro batch must");
    assertThatThrownBy(() -> options.withThreads(0)).hasMessageStartingWith("threads must");
    assertThatThrownBy(() -> options.withSequences(0, true))
        .hasMessage("sequences must be at least 1, not 0");
  }

  @Test
  void cacheTypesByTheirNames() {
    for (CacheType type : CacheType.values()) {
      assertThat(CacheType.of(type.id())).isEqualTo(type);
    }
    assertThat(CacheType.of("Q8_0")).isEqualTo(CacheType.Q8_0);
    assertThatThrownBy(() -> CacheType.of("q3_0"))
        .hasMessage(
            "'q3_0' is not a cache type; choose one of f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl,"
                + " q5_0, q5_1");
  }

  @ParameterizedTest
  @MethodSource("cacheTypes")
  void cacheTypesHaveGgmlsNumbers(LlamaRuntime runtime, CacheType type) {
    assertThat(runtime.type(type.ggmlType()).name()).isEqualToIgnoringCase(type.name());
  }
}
