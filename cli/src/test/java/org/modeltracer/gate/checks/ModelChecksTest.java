package org.modeltracer.gate.checks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Gguf;
import org.modeltracer.gate.Policies;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Shared;
import org.modeltracer.testing.TinyModel;
import org.modeltracer.testing.TinyModels;

/** What the checks of the running model find, and where they cannot be asked. */
class ModelChecksTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-f32.gguf");

  @TempDir Path folder;

  private static CheckResult ask(String check, Path file, Policy policy) {
    try (var subject = new Subject(CheckRequest.of(file, policy))) {
      return Catalogue.find(check).orElseThrow().ask(subject);
    }
  }

  /** The model with whole tensors of zeros. */
  private Path withZero(String... names) throws IOException {
    byte[] bytes = Files.readAllBytes(MODEL);
    for (String name : names) {
      TensorInfo tensor = GgufFile.read(MODEL).tensor(name).orElseThrow();
      int at = Math.toIntExact(tensor.offset());
      Arrays.fill(bytes, at, at + Math.toIntExact(tensor.bytes()), (byte) 0);
    }
    return Files.write(folder.resolve("zero.gguf"), bytes);
  }

  @Test
  void deadHeads() throws IOException {
    Path file = withZero("blk.1.attn_v.weight");
    CheckResult result =
        ask("attention.health", file, Policies.withFailOn(Policies.PATIENT, Severity.WARNING));
    assertThat(ask("attention.health", file, Policies.PATIENT).verdict()).isEqualTo(Verdict.PASS);
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.signals()).containsEntry("dead_heads", 4L).containsEntry("heads", 16);
    assertThat(result.evidence())
        .filteredOn(e -> e.rule().equals("dead_head"))
        .extracting(Evidence::layer)
        .containsExactly(1, 1, 1, 1);
  }

  @Test
  void anAnomalyFailsFromItsSeverityOn() throws IOException {
    Path file = withZero("blk.1.ffn_down.weight");
    Policy warning = Policies.withFailOn(Policies.PATIENT, Severity.WARNING);
    CheckResult fails = ask("forward.anomalies", file, warning);
    assertThat(fails.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(fails.evidence()).extracting(Evidence::rule).contains("vanishing");
    assertThat(fails.message()).contains("blk.1.ffn_down.weight");
    Policy critical = Policies.withFailOn(Policies.PATIENT, Severity.CRITICAL);
    CheckResult passes = ask("forward.anomalies", file, critical);
    assertThat(passes.verdict()).isEqualTo(Verdict.PASS);
    assertThat(passes.evidence()).isEqualTo(fails.evidence());
  }

  @Test
  void aKindWhoseCheckIsOffIsStillJudged() throws IOException {
    Path file = withZero("blk.1.attn_q.weight");
    Policy policy = Policies.withFailOn(Policies.PATIENT, Severity.WARNING);
    assertThat(ask("forward.anomalies", file, policy).verdict()).isEqualTo(Verdict.PASS);
    Policy without = Policies.withChecks(policy, Map.of("attention.health", false));
    CheckResult result = ask("forward.anomalies", file, without);
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence()).extracting(Evidence::rule).contains("uniform_attention");
  }

  @ParameterizedTest
  @CsvSource({
    "forward.headroom, forward.headroom.bits, 20, headroom",
    "generation.sanity, generation.sanity.loops, 0, repetition",
    "determinism.batch, determinism.batch.relative, 0, inconsistent_logits",
    "kv.reuse, kv.reuse.relative, 0, inconsistent_logits"
  })
  void aLimitThatNoModelKeepsFails(String check, String limit, double value, String rule) {
    Policy policy = Policies.withTokens(PolicyFile.preset("strict"), 64, 512);
    assertThat(ask(check, MODEL, policy).verdict()).isEqualTo(Verdict.PASS);
    CheckResult result = ask(check, MODEL, Policies.withLimit(policy, limit, value));
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence()).extracting(Evidence::rule).contains(rule);
  }

  @Test
  void otherLogitsAreNotTheSame() {
    try (var subject = new Subject(CheckRequest.of(MODEL, Policies.PATIENT))) {
      BareRuns runs = subject.bare();
      int[] other = runs.prompts().getLast();
      CheckResult result =
          OutputComparison.judge(
              new CheckResultBuilder(new KvReuse(), subject),
              runs,
              0.05,
              (prompt, first) -> runs.whole(other),
              "when they are not");
      assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
      assertThat((double) result.signals().get("relative")).isGreaterThan(0.2);
      assertThatThrownBy(
              () ->
                  OutputComparison.judge(
                      new CheckResultBuilder(new KvReuse(), subject),
                      runs,
                      0,
                      (prompt, first) -> new Outputs(null),
                      "when there is none"))
          .isInstanceOf(NotApplicable.class);
    }
  }

  @Test
  void recurrentStatesCannotBeTakenBack() {
    Path mamba = Architectures.model("mamba-dense-f16");
    CheckResult reuse = ask("kv.reuse", mamba, Policies.PATIENT);
    assertThat(reuse.verdict()).isEqualTo(Verdict.SKIPPED);
    assertThat(reuse.message()).contains("memory cannot be taken back");
    CheckResult attention = ask("attention.health", mamba, Policies.PATIENT);
    assertThat(attention.verdict()).isEqualTo(Verdict.SKIPPED);
    assertThat(attention.message()).contains("no softmax attention");
  }

  @ParameterizedTest
  @ValueSource(strings = {"tinyllama-mha-f16", "tinyllama-gqa-Q2_K"})
  void trainedModelsKnowMoreThanCounts(String name) {
    CheckResult result = language(Path.of("models", name + ".gguf"));
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.PASS);
    assertThat((double) result.signals().get("perplexity"))
        .isLessThan(0.7 * (double) result.signals().get("unigram_perplexity"));
  }

  @Test
  void publishedWeightsDoToo() {
    CheckResult result = language(Shared.file("real", "stories260K-f32.gguf"));
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.PASS);
    assertThat((double) result.signals().get("perplexity")).isLessThan(10);
  }

  @ParameterizedTest
  @ValueSource(strings = {"qwen2", "gemma2", "gpt2", "mixtral"})
  void randomWeightsKnowNothing(String name) {
    CheckResult result = language(Path.of("models", "rand-" + name + "-f32.gguf"));
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence())
        .extracting(Evidence::rule)
        .containsExactly("no_language", "random_weights");
  }

  /** Damage that leaves every number sound. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void norDoWeightsInTheWrongPlace(boolean exchanged) throws IOException {
    byte[] bytes = Files.readAllBytes(MODEL);
    GgufFile file = GgufFile.read(MODEL);
    for (int layer = 0; layer < 4; layer++) {
      if (exchanged) {
        exchange(bytes, file, "blk." + layer + ".attn_q.weight", "blk." + layer + ".attn_k.weight");
      } else {
        shuffle(bytes, file.tensor("blk." + layer + ".ffn_up.weight").orElseThrow());
      }
    }
    CheckResult result = language(Files.write(folder.resolve("wrong.gguf"), bytes));
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.FAIL);
  }

  /** Its fellows in other layers give it away. */
  @Test
  void oneShuffledMatrixIsNamed() throws IOException {
    byte[] bytes = Files.readAllBytes(MODEL);
    shuffle(bytes, GgufFile.read(MODEL).tensor("blk.1.ffn_up.weight").orElseThrow());
    CheckResult result = language(Files.write(folder.resolve("shuffled.gguf"), bytes));
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence())
        .filteredOn(e -> e.rule().equals("random_weights"))
        .extracting(Evidence::tensor)
        .contains("blk.1.ffn_up.weight");
  }

  private static void exchange(byte[] bytes, GgufFile file, String one, String two) {
    TensorInfo a = file.tensor(one).orElseThrow();
    int from = Math.toIntExact(a.offset());
    int to = Math.toIntExact(file.tensor(two).orElseThrow().offset());
    byte[] kept = Arrays.copyOfRange(bytes, from, from + Math.toIntExact(a.bytes()));
    System.arraycopy(bytes, to, bytes, from, kept.length);
    System.arraycopy(kept, 0, bytes, to, kept.length);
  }

  private static void shuffle(byte[] bytes, TensorInfo tensor) {
    var weights =
        ByteBuffer.wrap(bytes, Math.toIntExact(tensor.offset()), Math.toIntExact(tensor.bytes()))
            .slice()
            .order(ByteOrder.LITTLE_ENDIAN)
            .asFloatBuffer();
    var random = new Random(3);
    for (int i = weights.limit() - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      float kept = weights.get(i);
      weights.put(i, weights.get(j)).put(j, kept);
    }
  }

  private static CheckResult language(Path file) {
    return ask("language.perplexity", file, PolicyFile.preset("default"));
  }

  @Test
  void whatIsForSomethingElseIsNotAsked() throws IOException {
    for (TinyModel other :
        List.of(TinyModels.of("bert"), TinyModels.of("t5"), TinyModels.t5encoder())) {
      assertThat(language(other.write(folder)).verdict()).isEqualTo(Verdict.SKIPPED);
    }
    assertThat(tagged("general.tags", "text-ranking").message()).contains("tagged text-ranking");
    assertThat(tagged("general.languages", "de").message()).contains("languages are de");
    assertThat(tagged("general.languages", "en").verdict()).isEqualTo(Verdict.PASS);
    CheckResult unread = language(Architectures.all().getFirst());
    assertThat(unread.verdict()).isEqualTo(Verdict.SKIPPED);
    assertThat(unread.message()).contains("no vocabulary");
  }

  private CheckResult tagged(String key, String value) throws IOException {
    Path file = new Gguf(MODEL).texts(key, List.of(value)).write(folder.resolve("tagged.gguf"));
    return language(file);
  }

  /** What llama.cpp takes in silence is what the finding says: the same logits, bit for bit. */
  @ParameterizedTest
  @CsvSource({
    "models/tinyllama-gqa-f16.gguf, llama.rope.freq_base, 10000",
    "models/archs/deepseek2-moe-f16.gguf, deepseek2.expert_gating_func, 1",
  })
  void silentDefaultsAreWhatTheySayTheyAre(Path model, String key, float value) {
    Path without = new Gguf(model).remove(key).write(folder.resolve("without.gguf"));
    CheckResult found = ask("file.metadata", without, PolicyFile.preset("default"));
    assertThat(found.verdict()).isNotEqualTo(Verdict.ERROR);
    assertThat(found.evidence())
        .filteredOn(e -> e.rule().equals("silent_default"))
        .singleElement()
        .satisfies(e -> assertThat(e.message()).startsWith(key + " is missing"));
    var spelt = new Gguf(model);
    var other = new Gguf(model);
    if (key.endsWith("func")) {
      spelt.u32(key, (long) value);
      other.u32(key, (long) value + 1);
    } else {
      spelt.f32(key, value);
      other.f32(key, 100 * value);
    }
    float[] silent = logits(without);
    assertThat(logits(spelt.write(folder.resolve("spelt.gguf")))).isEqualTo(silent);
    assertThat(logits(other.write(folder.resolve("other.gguf")))).isNotEqualTo(silent);
  }

  private static float[] logits(Path model) {
    var options = ContextOptions.defaults().withContextTokens(64).withHook(false);
    try (var loaded = LlamaRuntime.load().open(model);
        var context = loaded.context(options)) {
      var batch = context.batch().clear();
      for (int i = 0; i < 24; i++) {
        batch.add((i * 37 + 11) % 120, i, 0, true);
      }
      context.decode(batch);
      return context.logits(23).toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  @Test
  void encodersHaveStatesForLogits() {
    encoder(TinyModels.of("bert"));
  }

  /** It has a cache like a decoder's, and is no less an encoder. */
  @Test
  void soDoesOneOfADecoderThatIsNotThere() {
    encoder(TinyModels.t5encoder());
  }

  private void encoder(TinyModel tiny) {
    Path encoder = tiny.write(folder);
    assertThat(ask("forward.finite", encoder, Policies.PATIENT))
        .extracting(CheckResult::verdict, CheckResult::message)
        .startsWith(Verdict.PASS);
    for (String check : List.of("determinism.repeat", "determinism.batch")) {
      CheckResult result = ask(check, encoder, Policies.PATIENT);
      assertThat(result.verdict()).as(check + ": " + result.message()).isEqualTo(Verdict.PASS);
      assertThat((int) result.signals().get("positions")).as(check).isPositive();
      assertThat(result.signals()).as(check).containsEntry("same_top", null);
    }
    for (String check : List.of("generation.sanity", "kv.reuse")) {
      CheckResult result = ask(check, encoder, Policies.PATIENT);
      assertThat(result.verdict()).as(check).isEqualTo(Verdict.SKIPPED);
      assertThat(result.message()).as(check).isNotBlank();
    }
  }

  @Test
  void whatFailedOnceIsNotTriedAgain() throws IOException {
    byte[] bytes = Files.readAllBytes(MODEL);
    Path file = Files.write(folder.resolve("cut.gguf"), Arrays.copyOf(bytes, 2_000_000));
    try (var subject = new Subject(CheckRequest.of(file, Policies.PATIENT))) {
      CheckResult first = new ForwardFinite().ask(subject);
      assertThat(first.verdict()).isEqualTo(Verdict.ERROR);
      CheckResult second = new ForwardAnomalies().ask(subject);
      assertThat(second.verdict()).isEqualTo(Verdict.SKIPPED);
      assertThat(second.message()).startsWith("loading the model failed: ");
    }
  }
}
