package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.PolicyReport.LayerPolicy;
import org.modeltracer.testing.LlamaReference;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * Every policy put upon a trained model in llama.cpp, against a forward pass in float64 that masks
 * by the policies' definitions, written down here once more.
 */
class GoldenPolicyTest {
  private static final Path FILE = Path.of("models/tinyllama-mha-f32.gguf");
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();
  private static final int BUDGET = 32;
  private static final int LAYERS = 4;
  private static final String TEXT =
      "When you run the program, the compiler checks that every name is known; if a name is not"
          + " known, it says where. He read the page again, from the first line to the last.";

  /** Without any mask; the same for all policies. */
  private static LlamaReference dense;

  /** Which keys a head holds, and what they have got so far. */
  private static final class Hitters {
    private final Map<Integer, Double> held = new TreeMap<>();

    boolean[] kept(double[] weights) {
      int query = weights.length - 1;
      held.put(query, 0.0);
      while (held.size() > BUDGET) {
        int leaves =
            held.keySet().stream()
                .filter(key -> key <= query - BUDGET / 2)
                .min(Comparator.comparingDouble(held::get))
                .orElseThrow();
        held.remove(leaves);
      }
      double all = held.keySet().stream().mapToDouble(key -> weights[key]).sum();
      held.replaceAll((key, mass) -> mass + weights[key] / all);
      boolean[] kept = new boolean[weights.length];
      held.keySet().forEach(key -> kept[key] = true);
      return kept;
    }
  }

  private static boolean[] marked(int n, IntStream keys) {
    boolean[] kept = new boolean[n];
    keys.forEach(key -> kept[key] = true);
    return kept;
  }

  private static boolean[] blocks(double[] scores) {
    int n = scores.length;
    int own = (n - 1) / 16;
    List<Integer> others =
        IntStream.range(0, own)
            .boxed()
            .sorted(
                Comparator.comparingDouble(
                    b ->
                        -IntStream.range(16 * b, 16 * b + 16)
                            .mapToDouble(k -> scores[k])
                            .average()
                            .orElseThrow()))
            .limit(BUDGET / 16 - 1)
            .toList();
    return marked(n, IntStream.range(0, n).filter(k -> k / 16 == own || others.contains(k / 16)));
  }

  private static LlamaReference.Selection selection(KeyPolicy policy) {
    var hitters = new HashMap<Integer, Hitters>();
    return (layer, head, scores) -> {
      int n = scores.length;
      double[] weights = new double[n];
      double sum = 0;
      for (int k = 0; k < n; k++) {
        weights[k] = Math.exp(scores[k]);
        sum += weights[k];
      }
      for (int k = 0; k < n; k++) {
        weights[k] /= sum;
      }
      return switch (policy) {
        case SLIDING_WINDOW -> marked(n, IntStream.range(Math.max(0, n - BUDGET), n));
        case SINK_WINDOW ->
            marked(n, IntStream.range(0, n).filter(k -> k < 4 || k >= n - (BUDGET - 4)));
        case TOP_K ->
            marked(
                n,
                IntStream.range(0, n)
                    .boxed()
                    .sorted(Comparator.comparingDouble(k -> -scores[k]))
                    .limit(BUDGET)
                    .mapToInt(k -> k));
        case HEAVY_HITTERS ->
            hitters.computeIfAbsent(16 * layer + head, id -> new Hitters()).kept(weights);
        case BLOCK_TOP_K -> blocks(scores);
      };
    };
  }

  private static PolicyReport everywhere(KeyPolicy policy) {
    List<LayerPolicy> layers =
        IntStream.range(0, LAYERS)
            .mapToObj(layer -> new LayerPolicy(layer, policy, BUDGET, 0.9, 0.5))
            .toList();
    return new PolicyReport(List.of(BUDGET), List.of(), layers, 0.95, null);
  }

  private static TracedSession open(LlamaModel model, ModelTracer tracer) {
    var context =
        ContextOptions.defaults()
            .withContextTokens(256)
            // Heavy hitters live on across the cuts of a prompt.
            .withBatch(256, 24)
            .withThreads(1)
            .withFlashAttention(FlashAttention.OFF)
            .withCacheTypes(CacheType.F32, CacheType.F32);
    return TracedSession.open(
        model, SessionOptions.defaults().withContext(context).withReusePrefix(false), tracer);
  }

  private static LlamaReference full(int[] prompt) {
    if (dense == null) {
      dense = new LlamaReference(FILE, prompt);
    }
    return dense;
  }

  private static double divergence(double[] p, double[] q) {
    double pAll = 0;
    double qAll = 0;
    for (int i = 0; i < p.length; i++) {
      pAll += Math.exp(p[i]);
      qAll += Math.exp(q[i]);
    }
    double nats = 0;
    for (int i = 0; i < p.length; i++) {
      nats += Math.exp(p[i]) / pAll * (p[i] - q[i] - Math.log(pAll) + Math.log(qAll));
    }
    return nats;
  }

  @ParameterizedTest
  @EnumSource
  void aPolicyIsAForwardPassWithItsMask(KeyPolicy policy) {
    try (var model = RUNTIME.open(FILE);
        var tracer = new ModelTracer(TracerConfig.builder().build());
        var session = open(model, tracer)) {
      int[] prompt = model.vocabulary().tokenize(TEXT, true, false);
      assertThat(prompt.length).isGreaterThan(BUDGET + 32);
      LlamaReference full = full(prompt);
      var masked = new LlamaReference(FILE, prompt, selection(policy));
      var scores = new ArrayList<float[]>();
      session.listen(
          new SessionListener() {
            @Override
            public void onLogits(int sequence, int position, MemorySegment logits, int chosen) {
              scores.add(logits.toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
            }
          });
      PolicyRun run = PolicyRun.under(session, everywhere(policy));
      session.evaluate(prompt, true);
      run.close();
      double apart = 0;
      double away = 0;
      for (int p = 0; p < prompt.length; p++) {
        for (int v = 0; v < scores.get(p).length; v++) {
          apart = Math.max(apart, Math.abs(scores.get(p)[v] - masked.logits[p][v]));
          away = Math.max(away, Math.abs(full.logits[p][v] - masked.logits[p][v]));
        }
      }
      assertThat(apart).as("%s", policy).isLessThan(1e-3);
      assertThat(away).as("the mask of %s changes something", policy).isGreaterThan(0.02);

      int first = prompt.length - 64;
      double[] nats =
          IntStream.range(Math.max(0, first), prompt.length)
              .mapToDouble(p -> divergence(full.logits[p], masked.logits[p]))
              .toArray();
      double mean = IntStream.range(0, nats.length).mapToDouble(i -> nats[i]).average().orElse(0);
      double most = IntStream.range(0, nats.length).mapToDouble(i -> nats[i]).max().orElse(0);
      var check = PolicyCheck.of(session, everywhere(policy), List.of(prompt));
      assertThat(check.positions()).isEqualTo(nats.length);
      assertThat(check.klMean()).as("%s", policy).isCloseTo(mean, within(1e-5 + 0.005 * mean));
      assertThat(check.klMax()).isCloseTo(most, within(1e-5 + 0.005 * most));
    }
  }
}
