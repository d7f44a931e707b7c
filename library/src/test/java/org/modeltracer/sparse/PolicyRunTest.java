package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.PolicyReport.LayerPolicy;
import org.modeltracer.testing.TinyModel;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** A window put upon a model, against the same weights in a file that asks for that window. */
class PolicyRunTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();
  private static final int WINDOW = 24;
  private static final int[] PROMPT =
      IntStream.range(0, 90).map(i -> (i * 37 + i * i) % TinyModel.VOCABULARY).toArray();

  @TempDir private Path folder;

  private static ContextOptions context(FlashAttention fused) {
    return ContextOptions.defaults()
        .withContextTokens(256)
        .withBatch(128, 32)
        .withThreads(1)
        .withFlashAttention(fused)
        .withCacheTypes(CacheType.F32, CacheType.F32);
  }

  private static PolicyReport policies(KeyPolicy policy, int budget) {
    var layers =
        IntStream.range(0, TinyModel.LAYERS)
            .mapToObj(l -> new LayerPolicy(l, policy, budget, 0.9, 0.5))
            .toList();
    return new PolicyReport(List.of(budget), List.of(), layers, 0.95, null);
  }

  private static List<float[]> logits(Path file, PolicyReport under) {
    var all = new ArrayList<float[]>();
    try (var model = RUNTIME.open(file);
        var tracer = new ModelTracer(TracerConfig.builder().build());
        var session = open(model, FlashAttention.OFF, tracer)) {
      session.listen(
          new SessionListener() {
            @Override
            public void onLogits(int sequence, int position, MemorySegment logits, int chosen) {
              all.add(logits.toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
            }
          });
      if (under == null) {
        session.evaluate(PROMPT, true);
      } else {
        PolicyRun run = PolicyRun.under(session, under);
        session.evaluate(PROMPT, true);
        run.close();
      }
    }
    return all;
  }

  private static TracedSession open(LlamaModel model, FlashAttention fused, ModelTracer tracer) {
    return TracedSession.open(
        model,
        SessionOptions.defaults().withContext(context(fused)).withReusePrefix(false),
        tracer);
  }

  /** A model with windows whose predictions are not as sharp as random weights make them. */
  private static Path model(Path folder) throws IOException {
    Path file = TinyModels.of("gemma3").write(folder);
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    TensorInfo norm = GgufFile.read(file).tensor("output_norm.weight").orElseThrow();
    for (int i = 0; i < norm.elements(); i++) {
      bytes.putFloat(Math.toIntExact(norm.offset()) + 4 * i, 0.05f);
    }
    return Files.write(file, bytes.array());
  }

  /** The model with another sliding window in its header. */
  private Path windowed(Path file, int window) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    byte[] key = "gemma3.attention.sliding_window".getBytes(StandardCharsets.UTF_8);
    int at = 0;
    while (!ByteBuffer.wrap(bytes, at, key.length).equals(ByteBuffer.wrap(key))) {
      at++;
    }
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(at + key.length + 4, window);
    return Files.write(folder.resolve("windowed.gguf"), bytes);
  }

  @Test
  void aWindowUponAModelIsAModelWithAWindow() throws IOException {
    Path asked = model(folder);
    Path file = windowed(asked, 400);
    List<float[]> golden = logits(asked, null);
    List<float[]> full = logits(file, null);
    List<float[]> cut = logits(file, policies(KeyPolicy.SLIDING_WINDOW, WINDOW));
    double apart = 0;
    for (int p = 0; p < PROMPT.length; p++) {
      assertThat(cut.get(p)).containsExactly(golden.get(p), within(2e-3f));
      for (int v = 0; v < golden.get(p).length; v++) {
        apart = Math.max(apart, Math.abs(golden.get(p)[v] - full.get(p)[v]));
      }
    }
    assertThat(apart).isGreaterThan(0.1);
  }

  @Test
  void whatKeepsAllChangesNothing() throws IOException {
    Path file = model(folder);
    List<float[]> full = logits(file, null);
    List<float[]> same = logits(file, policies(KeyPolicy.HEAVY_HITTERS, 200));
    for (int p = 0; p < PROMPT.length; p++) {
      assertThat(same.get(p)).containsExactly(full.get(p), within(1e-4f));
    }
  }

  @Test
  void theDivergenceIsThatOfTheGoldenPass() throws IOException {
    Path asked = model(folder);
    Path file = windowed(asked, 400);
    List<float[]> golden = logits(asked, null);
    List<float[]> full = logits(file, null);
    double kl = 0;
    for (int p = PROMPT.length - 64; p < PROMPT.length; p++) {
      kl += divergence(full.get(p), golden.get(p)) / 64;
    }
    try (var model = RUNTIME.open(file);
        var tracer = new ModelTracer(TracerConfig.builder().build());
        var session = open(model, FlashAttention.OFF, tracer)) {
      var check =
          PolicyCheck.of(session, policies(KeyPolicy.SLIDING_WINDOW, WINDOW), List.of(PROMPT));
      assertThat(check.positions()).isEqualTo(64);
      assertThat(check.klMean()).isCloseTo(kl, within(0.05 * kl));
      assertThat(check.klMean()).isGreaterThan(1e-6);
      assertThat(check.klMax()).isGreaterThanOrEqualTo(check.klMean());
    }
  }

  @Test
  void flashAttentionIsRefused() throws IOException {
    Path file = model(folder);
    try (var model = RUNTIME.open(file);
        var tracer = new ModelTracer(TracerConfig.builder().build());
        var session = open(model, FlashAttention.ON, tracer)) {
      assertThatThrownBy(() -> PolicyRun.under(session, policies(KeyPolicy.TOP_K, 8)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("without flash attention");
    }
  }

  private static double divergence(float[] p, float[] q) {
    double pSum = 0;
    double qSum = 0;
    for (int i = 0; i < p.length; i++) {
      pSum += Math.exp(p[i]);
      qSum += Math.exp(q[i]);
    }
    double kl = 0;
    for (int i = 0; i < p.length; i++) {
      kl += Math.exp(p[i]) / pSum * (p[i] - q[i] - Math.log(pSum) + Math.log(qSum));
    }
    return kl;
  }
}
