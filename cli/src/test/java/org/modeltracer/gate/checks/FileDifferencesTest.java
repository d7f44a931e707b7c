package org.modeltracer.gate.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Gguf;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Value;
import org.modeltracer.testing.Architectures;

/** One key changed, or removed, or added: what is said, and that nothing else is. */
class FileDifferencesTest {
  private static final Path MODEL = Path.of("models", "tinyllama-gqa-f16.gguf");
  private static final String TEMPLATE = "tokenizer.chat_template";
  private static final String TOKENS = "tokenizer.ggml.tokens";

  @TempDir Path folder;

  private List<String> said(UnaryOperator<Gguf> change) {
    return found(change).stream().map(Evidence::message).toList();
  }

  private List<Evidence> found(UnaryOperator<Gguf> change) {
    Path changed = change.apply(new Gguf(MODEL)).write(folder.resolve("changed.gguf"));
    return FileDifferences.of(GgufFile.read(changed), GgufFile.read(MODEL));
  }

  @Test
  void quantizationsOfOneModelDoNotDiffer() {
    for (String name : List.of("Q8_0", "Q4_K_M", "Q2_K")) {
      GgufFile quantized = GgufFile.read(Path.of("models", "tinyllama-gqa-" + name + ".gguf"));
      assertThat(FileDifferences.of(quantized, GgufFile.read(MODEL))).as(name).isEmpty();
    }
  }

  @Test
  void aParameterIsNamedWithBothValues() {
    assertThat(said(file -> file.f32("llama.rope.freq_base", 1e6f)))
        .containsExactly("llama.rope.freq_base is 1000000, that of the reference 10000");
    assertThat(said(file -> file.f32("llama.attention.layer_norm_rms_epsilon", 0.1f)))
        .containsExactly(
            "llama.attention.layer_norm_rms_epsilon is 0.1, that of the reference 0.00001");
    assertThat(said(file -> file.text("llama.rope.scaling.type", "yarn")))
        .containsExactly("llama.rope.scaling.type is yarn, the reference has none");
    assertThat(said(file -> file.remove("llama.attention.layer_norm_rms_epsilon")))
        .containsExactly(
            "llama.attention.layer_norm_rms_epsilon is missing, the reference has 0.00001");
    assertThat(said(file -> file.text("general.name", "another").u32("general.file_type", 7)))
        .isEmpty();
  }

  /** llama.cpp takes the same number where the key is missing. */
  @Test
  void whatMakesNoDifferenceIsNoFault() {
    List<Evidence> found = found(file -> file.remove("llama.rope.freq_base"));
    assertThat(found).extracting(Evidence::severity).containsExactly(Severity.INFO);
    long heads =
        GgufFile.read(MODEL).metadata().integer("llama.attention.head_count").orElseThrow();
    assertThat(said(file -> file.u64("llama.attention.head_count", heads))).isEmpty();
  }

  /** Every parameter of every architecture at hand, removed in turn. */
  @Test
  void noParameterIsForgotten() {
    int asked = 0;
    for (Path model : Architectures.all().stream().limit(3).toList()) {
      GgufFile reference = GgufFile.read(model);
      String prefix = reference.architecture().orElseThrow() + ".";
      for (String key : reference.metadata().keys()) {
        if (key.startsWith(prefix)
            && !(reference.metadata().get(key).orElseThrow() instanceof Value.Text)) {
          Path without = new Gguf(model).remove(key).write(folder.resolve("without.gguf"));
          assertThat(FileDifferences.of(GgufFile.read(without), reference))
              .as(key)
              .singleElement()
              .satisfies(
                  e -> assertThat(e.message()).startsWith(key + " is missing, the reference"));
          asked++;
        }
      }
    }
    assertThat(asked).isGreaterThan(20);
  }

  @Test
  void vocabularyTypesEndsAndTemplate() {
    assertThat(said(file -> file.u32("tokenizer.ggml.eos_token_id", 5)))
        .containsExactly("tokenizer.ggml.eos_token_id is 5, that of the reference 1");
    assertThat(said(file -> file.bool("tokenizer.ggml.add_bos_token", false))).hasSize(1);
    assertThat(said(file -> file.text(TEMPLATE, "{{ messages }}")))
        .containsExactly("this file has a chat template, the reference none");
    var tokens = new ArrayList<>(new Gguf(MODEL).texts(TOKENS));
    Collections.swap(tokens, 40, 50);
    assertThat(said(file -> file.texts(TOKENS, tokens)))
        .singleElement()
        .asString()
        .startsWith("token 40 is ")
        .endsWith(", and 1 more");
    long[] types =
        GgufFile.read(MODEL).metadata().integers("tokenizer.ggml.token_type").orElseThrow();
    types[0] = 1;
    assertThat(said(file -> file.i32s("tokenizer.ggml.token_type", types)))
        .containsExactly(
            "token 0 %s is normal text here, a control token in the reference"
                .formatted(tokens.getFirst()));
  }

  /** A number, and an array that repeats it, are one statement. */
  @Test
  void anArrayThatRepeatsANumberIsThatNumber() {
    long heads =
        GgufFile.read(MODEL).metadata().integer("llama.attention.head_count").orElseThrow();
    String key = "llama.attention.head_count";
    assertThat(said(file -> file.i32s(key, new long[] {heads, heads, heads, heads}))).isEmpty();
    assertThat(said(file -> file.i32s(key, new long[] {heads, 1, heads, heads}))).hasSize(1);
    assertThat(said(file -> file.i32s(key, new long[0]))).hasSize(1);
    assertThat(said(file -> file.f32("llama.rope.freq_base", 10000.001f))).isEmpty();
  }
}
