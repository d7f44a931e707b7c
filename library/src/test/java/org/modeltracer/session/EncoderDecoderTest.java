package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** A model of an encoder and a decoder: both are traced, each in layers of its own. */
class EncoderDecoderTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final int HEADS = 4;
  private static final int[] IDS = new Random(9).ints(20, 0, 96).toArray();

  @TempDir private Path folder;

  private interface Work {
    void on(TracedSession session, Seen seen, ModelTracer tracer);
  }

  private static ContextOptions exact(FlashAttention flash) {
    return ContextOptions.defaults()
        .withContextTokens(256)
        .withThreads(1)
        .withFlashAttention(flash)
        .withCacheTypes(CacheType.F16, CacheType.F16);
  }

  private static void open(LlamaRuntime runtime, Path file, FlashAttention flash, Work work) {
    SessionOptions options = SessionOptions.defaults().withContext(exact(flash));
    try (LlamaModel model = runtime.open(file);
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session = TracedSession.open(model, options, tracer)) {
      work.on(session, Seen.of(session, tracer), tracer);
      assertThat(session.cost().droppedKeys()).isZero();
    }
  }

  private Path t5() {
    return TinyModels.of("t5").write(folder);
  }

  /** The encoder's layers come after the decoder's; nothing is found in two places. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void layersOfTheEncoderFollow(LlamaRuntime runtime) {
    for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
      open(
          runtime,
          t5(),
          flash,
          (session, seen, tracer) -> {
            assertThat(session.layers()).containsExactly(0, 1);
            assertThat(session.encoderLayers()).containsExactly(2, 3);
            assertThat(session.sites()).extracting(FoundSite::place).doesNotHaveDuplicates();
            assertThat(places(session, true, Site.ATTENTION)).containsExactly(2, 3);
            assertThat(places(session, true, Site.EMBEDDING)).containsExactly(2);
            assertThat(places(session, true, Site.FINAL_NORM)).containsExactly(3);
            assertThat(places(session, true, Site.LAYER_OUT)).containsExactly(2, 3);
            assertThat(places(session, true, Site.KEY_CACHE)).isEmpty();
            assertThat(places(session, true, Site.CROSS_ATTENTION)).isEmpty();
            assertThat(places(session, false, Site.ATTENTION)).containsExactly(0, 1);
            assertThat(places(session, false, Site.CROSS_ATTENTION)).containsExactly(0, 1);
            assertThat(places(session, false, Site.CROSS_OUT)).containsExactly(0, 1);
            assertThat(session.usesFlashAttention()).isFalse();
          });
    }
  }

  private static List<Integer> places(TracedSession session, boolean encoder, Site site) {
    return session.sites().stream()
        .filter(s -> s.encoder() == encoder && s.place().site() == site)
        .map(s -> s.place().layer())
        .toList();
  }

  /** Rows of the encoder are what its softmax nodes hold, read by an observer of our own. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void rowsOfTheEncoderAreItsSoftmax(LlamaRuntime runtime) {
    for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
      Path file = t5();
      List<float[]> softmax = softmax(runtime, file, flash);
      assertThat(softmax).hasSize(2);
      open(
          runtime,
          file,
          flash,
          (session, seen, tracer) -> {
            session.evaluate(IDS, true);
            Map<Seen.RowId, Seen.Row> rows = encoderRows(seen);
            assertThat(rows).hasSize(2 * HEADS * IDS.length);
            rows.forEach(
                (id, row) -> {
                  assertThat(row.keys()).isEqualTo(IntStream.range(0, IDS.length).toArray());
                  assertThat(row.sum()).isBetween(0.9999, 1.0001);
                  int stride = softmax.getFirst().length / HEADS / IDS.length;
                  float[] whole = softmax.get(id.layer() - 2);
                  int from = (id.head() * IDS.length + id.query()) * stride;
                  float[] expected = Arrays.copyOfRange(whole, from, from + IDS.length);
                  assertThat(row.weights()).as("%s", id).containsExactly(expected);
                });
            assertThat(seen.rows).hasSize(2 * HEADS * (IDS.length + 1));
          });
    }
  }

  /** Values of the encoder's softmax nodes in order: {@code [head, query, key]}. */
  private static List<float[]> softmax(LlamaRuntime runtime, Path file, FlashAttention flash) {
    var values = new ArrayList<float[]>();
    try (LlamaModel model = runtime.open(file);
        LlamaContext context = model.context(exact(flash))) {
      Batch batch = context.batch().clear();
      for (int i = 0; i < IDS.length; i++) {
        batch.add(IDS[i], i, 0, true);
      }
      context.observe(
          new TensorObserver() {
            @Override
            public boolean wants(Tensor node) {
              return node.op() == Op.SOFT_MAX;
            }

            @Override
            public void observe(Tensor node) {
              MemorySegment data = node.hostData();
              values.add(
                  data.asSlice(0, 4 * node.elements()).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
            }
          });
      context.encode(batch);
      context.observe(null);
    }
    return values;
  }

  private static Map<Seen.RowId, Seen.Row> encoderRows(Seen seen) {
    return seen.rows.entrySet().stream()
        .filter(e -> e.getKey().layer() >= 2)
        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
  }

  /** What the first layer's attention is, computed in double precision from the file. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void rowsOfTheFirstLayerAreThoseOfItsWeights(LlamaRuntime runtime) throws IOException {
    Path file = t5();
    double[][][] want = new TinyEncoder(file, HEADS).attention(IDS);
    open(
        runtime,
        file,
        FlashAttention.OFF,
        (session, seen, tracer) -> {
          session.evaluate(IDS, true);
          for (int h = 0; h < HEADS; h++) {
            for (int q = 0; q < IDS.length; q++) {
              Seen.Row row = Objects.requireNonNull(seen.rows.get(new Seen.RowId(2, h, 0, q)));
              for (int k = 0; k < IDS.length; k++) {
                assertThat((double) row.weights()[k])
                    .as("head %d query %d key %d", h, q, k)
                    .isCloseTo(want[h][q][k], within(1e-4));
              }
            }
          }
        });
  }

  /** The encoder's pass is counted, and its stream is not taken for the decoder's. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void generatingCountsThePassOfTheEncoder(LlamaRuntime runtime) {
    for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
      open(
          runtime,
          t5(),
          flash,
          (session, seen, tracer) -> {
            session.generate(IDS, 8, token -> true);
            assertThat(tracer.summary().totalForwards()).isEqualTo(1 + 8);
            assertThat(seen.rows).hasSize(2 * HEADS * (IDS.length + 8));
            assertThat(seen.states).hasSize(3 * 8);
            var layers = tracer.activations().layers();
            assertThat(layers).hasSize(4);
            for (int layer = 2; layer < 4; layer++) {
              assertThat(layers.get(layer).tokens()).isEqualTo(IDS.length);
              assertThat(layers.get(layer).input()).isNotNull();
            }
            assertThat(tracer.anomalies()).noneMatch(a -> a.kind() == AnomalyKind.NAN);
          });
    }
  }

  /** A NaN in a layer of the encoder is told with the tensor and the layer that show it first. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aBadWeightOfTheEncoderIsFound(LlamaRuntime runtime) throws IOException {
    Path file = t5();
    poison(file, "enc.blk.1.ffn_down.weight");
    open(
        runtime,
        file,
        FlashAttention.OFF,
        (session, seen, tracer) -> {
          session.evaluate(IDS, true);
          Anomaly first =
              tracer.anomalies().stream()
                  .filter(a -> a.kind() == AnomalyKind.NAN)
                  .findFirst()
                  .orElseThrow();
          assertThat(first.layer()).isEqualTo(3);
          assertThat(first.site()).isEqualTo(Site.FFN_OUT);
          assertThat(first.tensor()).isEqualTo(name(session, new Place(Site.FFN_OUT, 3)));
          assertThat(first.forward()).isZero();
        });
  }

  private static String name(TracedSession session, Place place) {
    return session.sites().stream()
        .filter(s -> s.place().equals(place))
        .map(FoundSite::tensor)
        .findFirst()
        .orElseThrow();
  }

  private static void poison(Path file, String tensor) throws IOException {
    GgufFile gguf = GgufFile.read(file);
    long at = gguf.tensor(tensor).orElseThrow().offset();
    var nan = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(0, Float.NaN);
    try (var channel = Files.newByteChannel(file, StandardOpenOption.WRITE)) {
      channel.position(at);
      channel.write(nan);
    }
  }
}
