package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.session.Generation;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.testing.Listening;
import org.modeltracer.trace.AnomalyLog;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/** Anomalies of generated text, each with the step at which it began, and long bad runs. */
class GenerationTest {
  private static final int STEPS = 200;
  private static final SessionOptions GREEDY = Diagnosed.options(CacheType.F16, FlashAttention.OFF);

  @TempDir Path folder;

  private static Diagnosed run(Path file, SessionOptions options) {
    return new Diagnosed(LlamaRuntime.load(), file, TracerConfig.lightweight(), options);
  }

  private static List<Generation.Token> generate(Diagnosed run) {
    return generate(run, "short");
  }

  private static List<Generation.Token> generate(Diagnosed run, String prompt) {
    // Text that ran past the end of the context would end early.
    int most = Math.min(STEPS, 256 - Prompts.ids(prompt).length);
    return run.session.generate(Prompts.ids(prompt), most, t -> true).tokens();
  }

  private static List<Anomaly> of(Diagnosed run, AnomalyKind kind) {
    return run.tracer.anomalies().stream().filter(a -> a.kind() == kind).toList();
  }

  private static Anomaly only(Diagnosed run, AnomalyKind kind) {
    List<Anomaly> found = of(run, kind);
    assertThat(found).hasSize(1);
    return found.getFirst();
  }

  /** The step a message names, as in {@code since step 12}. */
  private static int since(Anomaly anomaly) {
    Matcher m = Pattern.compile("since step (\\d+)").matcher(anomaly.message());
    assertThat(m.find()).as(anomaly.message()).isTrue();
    return Integer.parseInt(m.group(1));
  }

  /** Which small models loop on which text differs with the rounding of a processor's kernels. */
  @Test
  void greedyTextRunsInACircle() {
    int loops = 0;
    for (String model :
        List.of("tinyllama-mha-f32", "tinyllama-gqa-Q4_K_M", "tinyllama-gqa-Q2_K")) {
      try (var run = run(Path.of("models", model + ".gguf"), GREEDY)) {
        List<Generation.Token> tokens = generate(run, "text64");
        for (Anomaly loop : of(run, AnomalyKind.REPETITION)) {
          assertLoops(tokens, loop);
          loops++;
        }
      }
    }
    assertThat(loops).isPositive();
  }

  private static void assertLoops(List<Generation.Token> tokens, Anomaly loop) {
    assertThat(loop.severity()).isEqualTo(Severity.WARNING);
    Matcher m = Pattern.compile("a loop of (\\d+) tokens for (\\d+)").matcher(loop.message());
    assertThat(m.find()).as(loop.message()).isTrue();
    int period = Integer.parseInt(m.group(1));
    int start = since(loop);
    for (int i = start; i + period < start + Integer.parseInt(m.group(2)); i++) {
      assertThat(tokens.get(i).id()).isEqualTo(tokens.get(i + period).id());
    }
    assertThat(start == 0 || tokens.get(start - 1).id() != tokens.get(start - 1 + period).id())
        .isTrue();
    assertThat(loop.position()).isEqualTo(tokens.get(start).position());
  }

  @Test
  void constantLogitsRepeatOneToken() {
    String weight = "output.weight";
    BrokenModel model = BrokenModel.of("tinyllama-mha-f32.gguf");
    Path file = model.zero(weight, 0, model.tensor(weight).bytes()).write(folder, "constant");
    try (var run = run(file, GREEDY)) {
      List<Generation.Token> tokens = generate(run);
      assertThat(tokens).hasSize(STEPS).allMatch(t -> t.id() == tokens.getFirst().id());
      assertThat(since(only(run, AnomalyKind.REPETITION))).isZero();
      Anomaly logits = only(run, AnomalyKind.LOGITS);
      assertThat(logits.severity()).isEqualTo(Severity.CRITICAL);
      assertThat(logits.message()).contains("all 384 logits are the same");
      assertThat(logits.repeats()).isEqualTo(STEPS - 1);
      assertThat(logits.rootCause()).isNotNull();
      assertThat(logits.rootCause().cause()).isEqualTo(Cause.BAD_WEIGHT);
      assertThat(logits.rootCause().weight()).isEqualTo(weight);
    }
  }

  @Test
  void collapsedEntropy() {
    Path file =
        BrokenModel.of("tinyllama-mha-f32.gguf")
            .scale("output_norm.weight", 1000)
            .write(folder, "sharp");
    try (var run = run(file, GREEDY)) {
      Map<Integer, Double> entropies = new HashMap<>();
      run.session.listen(
          Listening.logits(
              (sequence, position, logits) ->
                  entropies.put(position, entropy(logits.toArray(ValueLayout.JAVA_FLOAT)))));
      generate(run);
      Anomaly logits = only(run, AnomalyKind.LOGITS);
      assertThat(logits.severity()).isEqualTo(Severity.WARNING);
      assertThat(logits.message()).contains("entropy below");
      int start = logits.position();
      assertThat(entropies.getOrDefault(start - 1, 1.0)).isGreaterThanOrEqualTo(1e-3);
      for (int position = start; position < start + 32; position++) {
        assertThat(entropies.get(position)).isLessThan(1e-3);
      }
    }
  }

  private static double entropy(float[] logits) {
    double max = Double.NEGATIVE_INFINITY;
    for (float x : logits) {
      max = Math.max(max, x);
    }
    double z = 0;
    double weighted = 0;
    for (float x : logits) {
      z += Math.exp(x - max);
      weighted += (x - max) * Math.exp(x - max);
    }
    return Math.log(z) - weighted / z;
  }

  @Test
  void bytesThatAreNoText() {
    int runs = 0;
    for (int seed = 1; seed <= 4; seed++) {
      SessionOptions random = GREEDY.withSampler(new SamplerOptions(50, 0, 1, seed));
      try (var run = run(Path.of("models", "tinyllama-mha-f32.gguf"), random)) {
        List<Generation.Token> tokens = generate(run);
        for (Anomaly anomaly : of(run, AnomalyKind.TOKENIZER)) {
          int start = since(anomaly);
          for (int i = start; i < start + 4; i++) {
            assertThat(broken(tokens.subList(0, i + 1)))
                .isGreaterThan(broken(tokens.subList(0, i)));
          }
          runs++;
        }
      }
    }
    assertThat(runs).isPositive();
  }

  /** Byte sequences that are not UTF-8, one still to be completed not counted. */
  private static long broken(List<Generation.Token> tokens) {
    var bytes = new ByteArrayOutputStream();
    tokens.forEach(t -> bytes.writeBytes(t.bytes()));
    CharBuffer text = CharBuffer.allocate(bytes.size());
    StandardCharsets.UTF_8
        .newDecoder()
        .onMalformedInput(CodingErrorAction.REPLACE)
        .decode(ByteBuffer.wrap(bytes.toByteArray()), text, false);
    return text.flip().chars().filter(c -> c == 0xfffd).count();
  }

  @Test
  void aRunThatIsBadAtEveryTokenSaysItOnce() throws Exception {
    Path file = BrokenModel.fault("f01_nan_ffn_down_l2", folder);
    Path log = folder.resolve("anomalies.jsonl");
    List<Anomaly> told = new ArrayList<>();
    try (var lines = new AnomalyLog(log);
        var run = run(file, GREEDY)) {
      run.tracer.addListener(lines);
      run.tracer.addListener(
          new TraceListener() {
            @Override
            public void onAnomaly(Anomaly anomaly) {
              told.add(anomaly);
            }
          });
      assertThat(generate(run)).hasSize(STEPS);
      int written = Files.readAllLines(log).size();
      // Ten places after the fault and the logits, and the text they make; each again with cause.
      assertThat(told).hasSizeLessThan(20);
      assertThat(written).isLessThan(2 * 20);
      assertThat(run.diagnosis.replays()).isEqualTo(1);
      assertThat(run.tracer.summary().anomaliesDetected()).isGreaterThan(10L * STEPS);
      assertThat(run.critical()).allMatch(a -> a.rootCause() != null);
    }
    assertThat(Files.readAllLines(log)).hasSize(told.size());
  }
}
