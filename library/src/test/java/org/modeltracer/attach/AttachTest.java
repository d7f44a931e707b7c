package org.modeltracer.attach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Faults;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** A C program that knows nothing of being traced, beside a session of our own. */
class AttachTest {
  private static final int[] PROMPT = {1, 70, 31, 9, 55, 12, 7, 81, 30};
  private static final int GENERATED = 12;

  @TempDir private static Path folder;
  private static Path agent;

  @BeforeAll
  static void compile() throws Exception {
    agent = CCompiler.agent(folder);
  }

  /** The same tokens, through our own hook. */
  private static Seen own(Path model, boolean flash, int[] prompt, int generated) {
    return own(LlamaRuntime.load(), model, flash, prompt, generated);
  }

  static Seen own(LlamaRuntime runtime, Path model, boolean flash, int[] prompt, int generated) {
    var book = new Driven.RowBook();
    var tracer = ModelTracer.quiet(TracerConfig.full());
    tracer.addListener(book);
    ContextOptions options =
        ContextOptions.defaults()
            .withContextTokens(512)
            .withBatch(256, 256)
            .withCacheTypes(CacheType.F32, CacheType.F32)
            .withThreads(1)
            .withFlashAttention(flash ? FlashAttention.ON : FlashAttention.OFF);
    var output = new ArrayList<Integer>();
    try (var opened = runtime.open(model);
        var session =
            TracedSession.open(opened, SessionOptions.defaults().withContext(options), tracer)) {
      session.generate(
          prompt,
          generated,
          token -> {
            output.add(token.id());
            return true;
          });
    }
    return new Seen(
        tracer, book, output.stream().map(String::valueOf).collect(Collectors.joining(" ")));
  }

  record Seen(ModelTracer tracer, Driven.RowBook rows, String output) {}

  @ParameterizedTest(name = "{0}, flash attention {1}")
  @CsvSource({
    "tinyllama-mha-f32,false",
    "tinyllama-mha-f32,true",
    "tinyllama-gqa-Q8_0,false",
    "rand-gemma2-f32,true",
    "rand-mixtral-f32,false",
    "rand-qwen2-f32,true",
    "rand-gpt2-f32,false"
  })
  void numbersAreThoseOfASessionOfOurOwn(String name, boolean flash) throws Exception {
    Path model = Path.of("models", name + ".gguf");
    Path library = Runtimes.embedded("v0.5.0").orElseThrow();
    Seen own = own(model, flash, PROMPT, GENERATED);
    var task = new Driven.Task(model, 1, 1, flash, GENERATED, PROMPT);
    try (var driven = trace(library, task, 1 << 24)) {
      assertThat(driven.output.strip()).isEqualTo(own.output());
      assertThat(driven.notes).isEmpty();
      assertThat(driven.tracers).hasSize(1);
      same(own, driven.tracers.getFirst(), driven.rows.getFirst().rows);
    }
  }

  /** Contexts at work at the same time, each on a thread of its own. */
  @Test
  void contextsAreToldApart() throws Exception {
    Path model = Path.of("models", "tinyllama-mha-f32.gguf");
    Path library = Runtimes.embedded("v0.5.0").orElseThrow();
    Seen own = own(model, true, PROMPT, GENERATED);
    var task = new Driven.Task(model, 3, 1, true, GENERATED, PROMPT);
    try (var driven = trace(library, task, 1 << 24)) {
      assertThat(driven.output.lines().map(String::strip)).hasSize(3).containsOnly(own.output());
      assertThat(driven.tracers).hasSize(3);
      for (int i = 0; i < 3; i++) {
        same(own, driven.tracers.get(i), driven.rows.get(i).rows);
      }
    }
  }

  /** Sequences in one batch, each in a stream of its own: rows are those of one alone. */
  @ParameterizedTest(name = "flash attention {0}")
  @ValueSource(booleans = {false, true})
  void sequencesAreToldApart(boolean flash) throws Exception {
    Path model = Path.of("models", "tinyllama-mha-f32.gguf");
    Path library = Runtimes.embedded("v0.5.0").orElseThrow();
    Seen own = own(model, flash, PROMPT, GENERATED);
    var task = new Driven.Task(model, 1, 2, flash, GENERATED, PROMPT);
    try (var driven = trace(library, task, 1 << 24)) {
      List<Driven.RowBook.Row> all = driven.rows.getFirst().rows;
      for (int s = 0; s < 2; s++) {
        int of = s;
        var mine = all.stream().filter(row -> row.sequence() == of).toList();
        assertThat(mine).hasSameSizeAs(own.rows.rows);
        for (Driven.RowBook.Row row : own.rows.rows) {
          var same =
              mine.stream()
                  .filter(r -> r.layer() == row.layer())
                  .filter(r -> r.head() == row.head())
                  .filter(r -> r.query() == row.query())
                  .toList();
          assertThat(same).hasSize(1);
          assertThat(same.getFirst().weights()).containsExactly(row.weights(), offset(1e-3f));
        }
      }
    }
  }

  /** The older generation, all in one library, whose graphs are built anew for every token. */
  @ParameterizedTest(name = "flash attention {0}")
  @ValueSource(booleans = {false, true})
  void anOlderLibraryIsFollowed(boolean flash) throws Exception {
    Path model = Path.of("models", "tinyllama-mha-f32.gguf");
    Path library = Runtimes.embedded("b4916").orElseThrow();
    Seen own = own(model, flash, PROMPT, GENERATED);
    var task = new Driven.Task(model, 1, 1, flash, GENERATED, PROMPT);
    try (var driven = trace(library, task, 1 << 24)) {
      assertThat(driven.output.strip()).isEqualTo(own.output());
      assertThat(driven.notes).isEmpty();
      List<Driven.RowBook.Row> theirs = driven.rows.getFirst().rows;
      assertThat(theirs).hasSameSizeAs(own.rows.rows).isNotEmpty();
      for (int i = 0; i < theirs.size(); i++) {
        assertThat(theirs.get(i).weights())
            .containsExactly(own.rows.rows.get(i).weights(), offset(flash ? 2e-2f : 1e-3f));
      }
    }
  }

  /** Without running anything again: the passes after the first bad one show where it begins. */
  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "f01_nan_ffn_down_l2,ffn_out-2,blk.2.ffn_down.weight",
    "f06_q8_nan_scale_attn_v_l0,Vcur-0,blk.0.attn_v.weight"
  })
  void laterPassesShowTheRoot(String fault, String node, String weight) throws Exception {
    Path model = Faults.make(fault, folder);
    Path library = Runtimes.embedded("v0.5.0").orElseThrow();
    var task = new Driven.Task(model, 1, 1, true, 80, PROMPT);
    try (var driven = trace(library, task, 1 << 22)) {
      RootCause cause =
          driven.tracers.getFirst().anomalies().stream()
              .map(Anomaly::rootCause)
              .filter(Objects::nonNull)
              .findFirst()
              .orElseThrow();
      assertThat(cause.node()).isEqualTo(node);
      assertThat(cause.cause()).isEqualTo(Cause.BAD_WEIGHT);
      assertThat(cause.weight()).isEqualTo(weight);
      assertThat(cause.notes()).first().asString().contains("later pass");
      assertThat(cause.inputs()).noneMatch(i -> !i.name().equals(weight) && i.state().bad());
    }
  }

  /** Values larger than the ring come in pieces. */
  @Test
  void largeValuesComeInPieces() throws Exception {
    Path model = Path.of("models", "tinyllama-mha-f32.gguf");
    Path library = Runtimes.embedded("v0.5.0").orElseThrow();
    int[] prompt = new int[200];
    for (int i = 0; i < prompt.length; i++) {
      prompt[i] = 3 + 7 * i % 200;
    }
    Seen own = own(model, true, prompt, 2);
    var task = new Driven.Task(model, 1, 1, true, 2, prompt);
    try (var driven = trace(library, task, 1 << 20)) {
      assertThat(driven.notes).isEmpty();
      same(own, driven.tracers.getFirst(), driven.rows.getFirst().rows);
    }
  }

  private static Driven trace(Path library, Driven.Task task, long ring) throws Exception {
    Path driver = CCompiler.driver(folder, library);
    var driven = new Driven(TracerConfig.full(), task.model(), ring, Attachment.Overflow.BLOCK);
    Process process = driven.start(agent, driver, library, task.words());
    driven.output = Driven.output(process);
    assertThat(process.waitFor()).isEqualTo(7);
    driven.attachment.close();
    return driven;
  }

  static void same(Seen own, ModelTracer tracer, List<Driven.RowBook.Row> rows) {
    assertThat(tracer.summary().totalForwards()).isEqualTo(own.tracer.summary().totalForwards());
    var theirs = tracer.summaryFields();
    var ours = own.tracer.summaryFields();
    assertThat(Json.pretty(theirs.get("activations")))
        .isEqualTo(Json.pretty(ours.get("activations")));
    assertThat(scores(tracer)).isEqualTo(scores(own.tracer));
    assertThat(theirs.get("anomalies_detected")).isEqualTo(ours.get("anomalies_detected"));
    assertThat(SummarySchema.errors(tracer.summaryToJson())).isEmpty();
    rows(own.rows.rows, rows);
  }

  /** What the last scores chose is never decoded: only our own session knows it. */
  private static String scores(ModelTracer tracer) {
    String json = Json.pretty(tracer.summaryFields().get("logits"));
    int last = json.lastIndexOf("\"chosen\" : ");
    int end = json.indexOf(',', last);
    return json.substring(0, last) + json.substring(end);
  }

  static void rows(List<Driven.RowBook.Row> ours, List<Driven.RowBook.Row> theirs) {
    assertThat(theirs.size()).isEqualTo(ours.size()).isPositive();
    for (int i = 0; i < ours.size(); i++) {
      Driven.RowBook.Row a = ours.get(i);
      Driven.RowBook.Row b = theirs.get(i);
      assertThat(List.of(b.layer(), b.head(), b.sequence(), b.query(), b.firstKey()))
          .isEqualTo(List.of(a.layer(), a.head(), a.sequence(), a.query(), a.firstKey()));
      assertThat(b.weights()).hasSameSizeAs(a.weights());
      for (int k = 0; k < a.weights().length; k++) {
        assertThat(b.weights()[k]).isCloseTo(a.weights()[k], offset(1e-6f));
      }
    }
  }
}
