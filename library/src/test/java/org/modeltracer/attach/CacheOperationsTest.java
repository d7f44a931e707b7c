package org.modeltracer.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Programs that rearrange their KV cache, beside a session whose cache is rearranged alike. */
class CacheOperationsTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final int[] PROMPT = {1, 70, 31, 9, 55, 12, 7, 81, 30};
  private static final int[] MORE = {40, 41, 42, 43, 44, 45, 46, 47};

  @TempDir private static Path folder;

  /** What {@code rearrange} of the driver does. */
  static List<Driven.RowBook.Row> own(
      LlamaRuntime runtime, int sequences, boolean unified, boolean flash, CacheType cells) {
    var book = new Driven.RowBook();
    var tracer = ModelTracer.quiet(TracerConfig.full());
    tracer.addListener(book);
    ContextOptions options =
        ContextOptions.defaults()
            .withContextTokens(512)
            .withBatch(256, 256)
            .withSequences(sequences, unified)
            .withCacheTypes(cells, cells)
            .withThreads(1)
            .withFlashAttention(flash ? FlashAttention.ON : FlashAttention.OFF);
    int n = PROMPT.length;
    try (var opened = runtime.open(MODEL);
        var session =
            TracedSession.open(opened, SessionOptions.defaults().withContext(options), tracer)) {
      read(session, 0, 0, n, PROMPT, 0);
      if (sequences > 1) {
        session.cache().copy(0, 1, 0, -1);
        read(session, 1, n, 3, MORE, 0);
        assertThat(session.cache().remove(1, n + 1, -1)).isTrue();
        read(session, 1, n + 1, 2, MORE, 3);
      }
      assertThat(session.cache().remove(0, 2, 4)).isTrue();
      session.cache().shift(0, 4, -1, -2);
      read(session, 0, n - 2, 1, MORE, 5);
      session.cache().keep(0);
      read(session, 0, n - 1, 2, MORE, 6);
      session.cache().clear();
      read(session, 0, 0, 4, PROMPT, 0);
      if (sequences > 1) {
        session.pass(batch -> batch.add(50, 4, 0, false).add(51, 5, 0, true).add(52, 0, 1, true));
      }
    }
    return List.copyOf(book.rows);
  }

  private static void read(TracedSession session, int of, int from, int n, int[] ids, int first) {
    session.pass(
        batch -> {
          for (int i = 0; i < n; i++) {
            batch.add(ids[first + i], from + i, of, i == n - 1);
          }
        });
  }

  private static Map<String, String> environment(boolean unified) {
    Map<String, String> environment = new HashMap<>(Map.of("DRIVER_CACHE", "1"));
    if (unified) {
      environment.put("DRIVER_UNIFIED", "1");
    }
    return environment;
  }

  static List<Driven.RowBook.Row> attached(
      Path folder, Path library, int sequences, boolean unified, boolean flash) throws Exception {
    Path agent = CCompiler.agent(folder);
    Path driver = CCompiler.driver(folder, library);
    var task = new Driven.Task(MODEL, 1, sequences, flash, 0, PROMPT);
    try (var driven = new Driven(TracerConfig.full(), MODEL, 1 << 22, Attachment.Overflow.BLOCK)) {
      driven.environment.putAll(environment(unified));
      Process process = driven.start(agent, driver, library, task.words());
      assertThat(Driven.output(process)).isBlank();
      assertThat(process.waitFor()).isEqualTo(7);
      driven.attachment.close();
      assertThat(driven.notes).isEmpty();
      assertThat(driven.ended.getFirst().failure()).isNull();
      return List.copyOf(driven.rows.getFirst().rows);
    }
  }

  static List<Driven.RowBook.Row> loaded(
      Path folder, Path library, int sequences, boolean unified, boolean flash) throws Exception {
    var task = new Driven.Task(MODEL, 1, sequences, flash, 0, PROMPT);
    return LoadedDriven.rows(folder, library, environment(unified), task);
  }

  @ParameterizedTest(name = "{0} sequences, one stream {1}, flash attention {2}")
  @CsvSource({"1,false,true", "2,false,false", "2,true,true", "2,true,false"})
  void aProgramsCacheIsFollowed(int sequences, boolean unified, boolean flash) throws Exception {
    Path library = Runtimes.embedded("v0.5.0").orElseThrow();
    AttachTest.rows(
        own(LlamaRuntime.load(library), sequences, unified, flash, CacheType.F32),
        attached(folder, library, sequences, unified, flash));
  }

  @ParameterizedTest(name = "one stream {0}")
  @CsvSource({"false", "true"})
  void aCacheInTheSameJvmIsFollowed(boolean unified) throws Exception {
    Path library = Runtimes.embedded("v0.5.0").orElseThrow();
    AttachTest.rows(
        own(LlamaRuntime.load(library), 2, unified, true, CacheType.F32),
        loaded(folder, library, 2, unified, true));
  }

  /** Functions of before, which take the context, in both ways. */
  @Test
  void anOlderLibrarysCacheIsFollowed() throws Exception {
    Path library = Runtimes.embedded("b4916").orElseThrow();
    List<Driven.RowBook.Row> own = own(LlamaRuntime.load(library), 2, true, false, CacheType.F32);
    AttachTest.rows(own, attached(folder, library, 2, true, false));
    AttachTest.rows(own, loaded(folder, library, 2, true, false));
  }
}
