package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Listening;
import org.modeltracer.testing.RpcServer;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * Models spread over llama.cpp's rpc-server, on this machine, against the same models here.
 *
 * <p>Runs where MODELTRACER_LLAMA_LIB names a build that has the RPC backend and its server.
 */
class RpcTest {
  private static final int TOKENS = 40;
  private static final List<RpcServer> SERVERS = new ArrayList<>();

  @TempDir private static Path folder;
  private static LlamaRuntime runtime;

  @BeforeAll
  static void start() {
    Path library = Runtimes.libraries().getLast();
    assumeTrue(
        RpcServer.beside(library).isPresent(),
        "no rpc-server beside " + library + "; MODELTRACER_LLAMA_LIB takes a build with it");
    runtime = LlamaRuntime.load(library);
    for (int i = 0; i < 2; i++) {
      SERVERS.add(RpcServer.start(library));
    }
  }

  @AfterAll
  static void stop() {
    SERVERS.forEach(RpcServer::close);
  }

  private static ModelOptions spread(int servers, int layers) {
    return ModelOptions.defaults()
        .withGpuLayers(layers)
        .withRpcServers(SERVERS.stream().limit(servers).map(RpcServer::endpoint).toList());
  }

  private static SessionOptions options(FlashAttention flash, CacheType type, int sequences) {
    return SessionOptions.defaults()
        .withContext(
            ContextOptions.defaults()
                .withContextTokens(256 * sequences)
                .withSequences(sequences, false)
                .withBatch(64, 13)
                .withFlashAttention(flash)
                .withCacheTypes(type, type))
        .withExtraSites(EnumSet.complementOf(EnumSet.of(Site.OTHER)));
  }

  /** A prompt in several graphs, then single tokens, of one sequence or of several at once. */
  private static Seen run(Path file, ModelOptions where, SessionOptions options) {
    try (LlamaModel model = runtime.open(file, where);
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session = TracedSession.open(model, options, tracer)) {
      Seen seen = Seen.of(session, tracer);
      int[] ids = new Random(5).ints(TOKENS, 0, 90).toArray();
      int sequences = options.context().sequences().count();
      boolean whole = model.hasEncoder() || !session.context().cache().exists();
      if (whole) {
        int most = session.context().microBatchTokens();
        session.evaluate(Arrays.copyOf(ids, most), true);
      } else if (sequences == 1) {
        session.evaluate(Arrays.copyOf(ids, 30), true);
      }
      for (int i = sequences == 1 ? 30 : 0; i < TOKENS && !whole; i++) {
        int at = i;
        session.pass(
            batch -> {
              for (int s = 0; s < sequences; s++) {
                batch.add(ids[at] + s, at, s, true);
              }
            });
      }
      assertThat(session.cost().droppedKeys()).isZero();
      assertThat(seen.states).isNotEmpty();
      return seen;
    }
  }

  static List<String> names() {
    return TinyModels.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void everyNumberIsTheSame(String name) {
    Path file = TinyModels.of(name).write(folder);
    for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
      SessionOptions options = options(flash, CacheType.F16, 1);
      Seen here = run(file, ModelOptions.defaults(), options);
      for (int layers : List.of(-1, 99, 1, 0)) {
        run(file, spread(1, layers), options).assertSameBits(here);
      }
      run(file, spread(2, 99), options).assertSameBits(here);
    }
  }

  @Test
  void everyNumberIsTheSameInOtherArchitectures() {
    for (Path file : Architectures.all()) {
      for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
        SessionOptions options = options(flash, CacheType.F16, 1);
        Seen here = run(file, ModelOptions.defaults(), options);
        run(file, spread(1, 1), options).assertSameBits(here);
        run(file, spread(2, 99), options).assertSameBits(here);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = CacheType.class,
      names = {"F32", "BF16", "Q8_0", "Q4_0"})
  void everyTypeOfCache(CacheType type) {
    Path file = TinyModels.of("llama").write(folder);
    SessionOptions options = options(FlashAttention.ON, type, 1);
    Seen here = run(file, ModelOptions.defaults(), options);
    run(file, spread(1, 1), options).assertSameBits(here);
    run(file, spread(2, 99), options).assertSameBits(here);
  }

  @Test
  void sequencesWithStreamsOfTheirOwn() {
    Path file = TinyModels.of("llama").write(folder);
    SessionOptions options = options(FlashAttention.OFF, CacheType.F16, 3);
    Seen here = run(file, ModelOptions.defaults(), options);
    assertThat(here.rows).hasSize(2 * 4 * 3 * TOKENS);
    run(file, spread(2, 99), options).assertSameBits(here);
  }

  /** Only the CPU polls whether to go on: elsewhere a pass is cut short, and taken back. */
  @Test
  void aCancelledPassLeavesNothingBehind() {
    Path file = TinyModels.of("llama").write(folder);
    int[] ids = new Random(5).ints(TOKENS, 0, 90).toArray();
    for (int layers : List.of(99, 1)) {
      for (int layer : List.of(Place.BEFORE_LAYERS, 0, 1)) {
        cancel(file, layers, ids, layer);
      }
    }
  }

  private static void cancel(Path file, int layers, int[] ids, int at) {
    try (LlamaModel model = runtime.open(file, spread(2, layers));
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session =
            TracedSession.open(model, options(FlashAttention.OFF, CacheType.F16, 1), tracer)) {
      Seen seen = Seen.of(session, tracer);
      session.evaluate(ids, true);
      Seen whole = Seen.copyOf(seen);
      seen.clear();
      session.cache().clear();
      var stop = new boolean[] {true};
      session.listen(
          Listening.states(
              (layer, sequence, position, values, offset, width) -> {
                if (stop[0] && layer == at) {
                  stop[0] = false;
                  session.cancel();
                }
              }));
      assertThatThrownBy(() -> session.evaluate(ids, true))
          .isInstanceOfSatisfying(
              LlamaException.class,
              e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.CANCELLED));
      assertThat(session.cache().lastPosition(0)).isEqualTo(-1);
      seen.clear();
      Seen.statesOf(session, seen);
      session.evaluate(ids, true);
      seen.assertSameBits(whole);
    }
  }

  @Test
  void modelsOnTheSameServerAndModelsHere() {
    Path file = TinyModels.of("llama").write(folder);
    SessionOptions options = options(FlashAttention.OFF, CacheType.F16, 1);
    Seen here = run(file, ModelOptions.defaults(), options);
    try (LlamaModel open = runtime.open(file, spread(1, 99))) {
      run(file, spread(1, 99), options).assertSameBits(here);
      run(file, spread(2, 99), options).assertSameBits(here);
      run(file, ModelOptions.defaults(), options).assertSameBits(here);
      assertThat(open.layers()).isEqualTo(2);
    }
  }

  @Test
  void aServerThatIsGoneIsTold() {
    Path file = TinyModels.of("llama").write(folder);
    RpcServer server = RpcServer.start(runtime.file());
    ModelOptions options = ModelOptions.defaults().withRpcServers(List.of(server.endpoint()));
    runtime.open(file, options).close();
    server.close();
    assertThatThrownBy(() -> runtime.open(file, options))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("no RPC server at " + server.endpoint());
  }
}
