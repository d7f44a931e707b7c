package org.modeltracer.gate.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Gguf;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.testing.Faults;

class FileChecksTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-Q8_0.gguf");
  private static final String TEMPLATE = "tokenizer.chat_template";

  @TempDir Path folder;

  private static CheckResult ask(Check check, Path file) {
    try (var subject = new Subject(CheckRequest.of(file, PolicyFile.preset("strict")))) {
      return check.ask(subject);
    }
  }

  private CheckResult metadata(Gguf changed) {
    return ask(new FileMetadata(), changed.write(folder.resolve("changed.gguf")));
  }

  @Test
  void aBaseModelNeedsNoTemplate() {
    CheckResult result = ask(new FileMetadata(), MODEL);
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.PASS);
    assertThat(result.evidence()).isEmpty();
    assertThat(result.signals())
        .containsEntry("architecture", "llama")
        .containsEntry("heads", 4L)
        .containsEntry("context_length", 256L)
        .containsEntry("chat_templates", 0)
        .containsEntry("instruct", false);
  }

  @Test
  void templatesAreRead() {
    String sound = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}";
    assertThat(metadata(new Gguf(MODEL).text(TEMPLATE, sound)).verdict()).isEqualTo(Verdict.PASS);
    CheckResult broken =
        metadata(new Gguf(MODEL).text(TEMPLATE, "\n" + sound.replace("endfor", "endif")));
    assertThat(broken.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(broken.message()).contains("line 2: 'endif' closes 'for' of line 2");
    assertThat(broken.evidence().getFirst().offset()).isPositive();
    for (String text : List.of("", "no chat at all", "{{ bos_token }}")) {
      assertThat(metadata(new Gguf(MODEL).text(TEMPLATE, text)).verdict())
          .as(text)
          .isEqualTo(Verdict.FAIL);
    }
    assertThat(metadata(new Gguf(MODEL).u32(TEMPLATE, 3)).verdict()).isEqualTo(Verdict.FAIL);
    Gguf named = new Gguf(MODEL).text(TEMPLATE, sound).text(TEMPLATE + ".tool_use", "{{");
    assertThat(metadata(named).message()).contains("tokenizer.chat_template.tool_use");
  }

  @ParameterizedTest
  @CsvSource({
    "Tiny-Instruct, true",
    "tiny chat v2, true",
    "gemma-2b-it, true",
    "Committed, false",
    "Chatterbox, false",
    "Orbit 7B, false"
  })
  void aTemplateIsMissedWhereTheFilePromisesOne(String name, boolean missed) {
    CheckResult result = metadata(new Gguf(MODEL).text("general.name", name));
    assertThat(result.verdict()).isEqualTo(missed ? Verdict.FAIL : Verdict.PASS);
    if (missed) {
      assertThat(result.message()).contains("general.name").contains(name);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "tokenizer.ggml.eos_token_id, 384, outside the vocabulary of 384 tokens",
    "tokenizer.ggml.bos_token_id, 300, a token of ordinary text",
    "llama.context_length, 7, a context that no model has",
    "llama.attention.head_count_kv, 3, 4 heads are not divisible by",
    "llama.attention.head_count, 3, divisible by"
  })
  void numbersThatCannotBeMeantFail(String key, long value, String message) {
    CheckResult result = metadata(new Gguf(MODEL).u32(key, value));
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence()).anySatisfy(e -> assertThat(e.message()).contains(message, key));
  }

  @Test
  void anEndThatIsNotNamedFails() {
    CheckResult result = metadata(new Gguf(MODEL).remove("tokenizer.ggml.eos_token_id"));
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.message()).contains("token 11");
    CheckResult none = metadata(new Gguf(MODEL).u32("tokenizer.ggml.padding_token_id", -1));
    assertThat(none.verdict()).isEqualTo(Verdict.PASS);
  }

  @ParameterizedTest
  @CsvSource({
    "f01_nan_ffn_down_l2, nan, blk.2.ffn_down.weight, 2",
    "f03_overflow_attn_norm_l3, absurd_scale, blk.3.attn_norm.weight, 3",
    "f04_nan_token_embd_row, nan, token_embd.weight,",
    "f06_q8_nan_scale_attn_v_l0, nan, blk.0.attn_v.weight, 0",
    "f07_zero_q_l1, zero_tensor, blk.1.attn_q.weight, 1",
    "f13_nan_unused_embd_row, nan, token_embd.weight,"
  })
  void dataThatCannotBeRightFail(String fault, String rule, String tensor, Integer layer)
      throws IOException {
    CheckResult result = ask(new FileData(), Faults.make(fault, folder));
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    Evidence first = result.evidence().getFirst();
    assertThat(first.rule()).isEqualTo(rule);
    assertThat(first.tensor()).isEqualTo(tensor);
    assertThat(first.layer()).isEqualTo(layer);
    assertThat(first.offset()).isPositive();
    assertThat(result.message()).contains(tensor);
  }

  @Test
  void healthyDataPass() {
    CheckResult result = ask(new FileData(), MODEL);
    assertThat(result.verdict()).isEqualTo(Verdict.PASS);
    assertThat((long) result.signals().get("values")).isGreaterThan(900_000);
    assertThat(result.evidence()).noneMatch(e -> e.severity() != Severity.INFO);
  }

  /** Types as the file has them: Q2_K has 84 bytes for 256 weights. */
  @Test
  void fewBitsAreNoticed() {
    CheckResult coarse = ask(new FileData(), Path.of("models", "tinyllama-gqa-Q2_K.gguf"));
    assertThat(coarse.verdict()).isEqualTo(Verdict.PASS);
    assertThat(coarse.evidence())
        .singleElement()
        .satisfies(e -> assertThat(e.message()).endsWith("(q2_K, 2.63)"));
    assertThat(ask(new FileData(), Path.of("models", "tinyllama-gqa-Q4_K_M.gguf")).evidence())
        .isEmpty();
  }
}
