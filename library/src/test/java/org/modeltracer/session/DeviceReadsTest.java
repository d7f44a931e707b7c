package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.probe.ProbeCost;
import org.modeltracer.testing.Golden;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * What is copied out of a device's memory: host memory here, read through its backend, so that the
 * numbers can be compared with those read in place.
 */
class DeviceReadsTest {
  private static final Path MODEL = Golden.model("tinyllama-mha-f32.gguf");
  private static final int LAYERS = 4;
  private static final int HEADS = 4;
  private static final int HEAD_WIDTH = 32;
  private static final int TOKENS = 80;

  /** llama.cpp looks at cells in steps of 256. */
  private static final int CELLS = 256;

  private record Run(Seen seen, ProbeCost cost) {}

  private static Run run(ContextOptions context, TracerConfig config, boolean copy) {
    return run(context, config, copy, TOKENS);
  }

  private static Run run(ContextOptions context, TracerConfig config, boolean copy, int tokens) {
    int[] ids = new Random(2).ints(tokens, 0, 300).toArray();
    int sequences = context.sequences().count();
    try (LlamaModel model = LlamaRuntime.load().open(MODEL);
        var tracer = new ModelTracer(config);
        TracedSession session =
            TracedSession.open(
                model,
                SessionOptions.defaults().withContext(context).withCopyBuffers(copy),
                tracer)) {
      var seen = new Seen();
      tracer.addListener(seen);
      if (config.activations()) {
        Seen.statesOf(session, seen);
      }
      session.pass(
          batch -> {
            for (int s = 0; s < sequences; s++) {
              for (int i = 0; i < tokens; i++) {
                batch.add(ids[i] + s, i, s, true);
              }
            }
          });
      return new Run(seen, session.cost());
    }
  }

  private static ContextOptions context(FlashAttention flash) {
    return ContextOptions.defaults()
        .withContextTokens(CELLS)
        .withFlashAttention(flash)
        .withCacheTypes(CacheType.F16, CacheType.F16);
  }

  private static TracerConfig heads(Integer... heads) {
    return TracerConfig.builder().attention(true).heads(List.of(heads)).build();
  }

  /** Runs in place and through the backend, whose numbers must be the same. */
  private static long copied(ContextOptions context, TracerConfig config) {
    Run inPlace = run(context, config, false);
    Run copied = run(context, config, true);
    copied.seen().assertSameBits(inPlace.seen());
    assertThat(inPlace.seen().rows).isNotEmpty();
    assertThat(inPlace.cost().bytesCopied()).isZero();
    return copied.cost().bytesCopied();
  }

  /** A gap of few tokens is cheaper copied than asked around. */
  @Test
  void whatIsNearIsCopiedAtOnce() {
    Run apart = run(context(FlashAttention.OFF), heads(0, 3), true, 20);
    Run all = run(context(FlashAttention.OFF), heads(), true, 20);
    assertThat(apart.cost().bytesCopied()).isEqualTo(all.cost().bytesCopied());
  }

  /** The mask once, and of each layer's weights those of the heads that are wanted. */
  @Test
  void ofASoftmaxTheWantedHeads() {
    long rows = 4L * CELLS * TOKENS;
    for (TracerConfig config : List.of(heads(2), heads(0, 1), heads(0, 3), heads())) {
      long wanted = config.heads().isEmpty() ? HEADS : config.heads().size();
      assertThat(copied(context(FlashAttention.OFF), config))
          .as(config.heads().toString())
          .isEqualTo(rows + LAYERS * wanted * rows);
    }
  }

  /** A stream's cells in use, and not what lies between them and the next stream's. */
  @Test
  void ofKeysTheCellsInUse() {
    int streams = 3;
    ContextOptions context =
        context(FlashAttention.ON)
            .withContextTokens(16 * CELLS * streams)
            .withSequences(streams, false);
    long width = (long) HEADS * HEAD_WIDTH;
    long queries = 4 * width * TOKENS * streams;
    long keys = 2 * width * CELLS * streams;
    long mask = 2L * CELLS * TOKENS * streams;
    assertThat(copied(context, heads())).isEqualTo(mask + LAYERS * (queries + keys));
  }

  /** However many look at a node, its values are copied once. */
  @Test
  void eachNodeOnce() {
    TracerConfig config = TracerConfig.builder().activations(true).build();
    Run inPlace = run(context(FlashAttention.OFF), config, false);
    Run copied = run(context(FlashAttention.OFF), config, true);
    copied.seen().assertSameBits(inPlace.seen());
    assertThat(copied.seen().states).isNotEmpty();
    assertThat(copied.cost().bytesCopied()).isEqualTo(copied.cost().bytesObserved());
  }
}
