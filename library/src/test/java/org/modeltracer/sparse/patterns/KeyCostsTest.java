package org.modeltracer.sparse.patterns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Sample;
import org.modeltracer.trace.KvCacheTrace;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/** What keys cost in many architectures, against the caches that llama.cpp allocated. */
class KeyCostsTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();

  private static Stream<DynamicTest> each(FlashAttention flash, CacheType keys) {
    return Sample.of(Architectures.all(), 6).stream()
        .map(
            file ->
                dynamicTest(flash + " " + file.getFileName(), () -> compare(file, flash, keys)));
  }

  @TestFactory
  Stream<DynamicTest> withoutFlashAttention() {
    return each(FlashAttention.OFF, CacheType.F32);
  }

  @TestFactory
  Stream<DynamicTest> withFlashAttention() {
    return each(FlashAttention.ON, CacheType.F16);
  }

  private static void compare(Path file, FlashAttention flash, CacheType keys) {
    var context =
        ContextOptions.defaults()
            .withContextTokens(256)
            .withBatch(64, 64)
            .withFlashAttention(flash)
            .withCacheTypes(keys, CacheType.F16.equals(keys) ? CacheType.F16 : CacheType.F32);
    Map<Integer, Integer> heads = new TreeMap<>();
    try (var model = RUNTIME.open(file);
        var tracer = new ModelTracer(TracerConfig.builder().attention(true).build());
        var session =
            TracedSession.open(model, SessionOptions.defaults().withContext(context), tracer)) {
      tracer.addListener(
          new TraceListener() {
            @Override
            public void onAttentionRow(AttentionRow row) {
              heads.merge(row.layer(), row.head() + 1, Math::max);
            }
          });
      KeyCosts costs = KeyCosts.of(session.survey());
      int vocabulary = model.vocabulary().size();
      session.evaluate(IntStream.range(0, 40).map(i -> (7 * i + 3) % vocabulary).toArray(), true);
      heads.forEach(
          (layer, seen) -> {
            KeyCosts.Layer cost = costs.layers().get(layer);
            assertThat(cost).as("layer %d", layer).isNotNull();
            assertThat(cost.heads()).as("heads of layer %d", layer).isEqualTo(seen);
          });
      List<KvCacheTrace> caches = session.cache().caches();
      assertThat(caches.isEmpty()).isEqualTo(heads.isEmpty());
      for (KvCacheTrace cache : caches) {
        double bytes =
            cache.layers().stream()
                .map(costs.layers()::get)
                .mapToDouble(cost -> cost.kvHeads() * cost.cachedBytes() * cache.capacity())
                .sum();
        assertThat(bytes).as("%s", cache).isCloseTo(cache.allocatedBytes(), within(1e-6 * bytes));
      }
    }
  }
}
