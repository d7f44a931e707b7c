package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class NativeWarningTest {
  @Test
  void areToldOnceWithWhatTheyMean() {
    String line =
        "bad special token: 'tokenizer.ggml.eos_token_id' = 4294967295, using default id 11";
    List<NativeWarning> warnings = NativeWarning.of(List.of(line, line, "****", "", line));
    assertThat(warnings).hasSize(1);
    assertThat(warnings.getFirst().text()).isEqualTo(line);
    assertThat(warnings.getFirst().harmless()).isFalse();
    assertThat(warnings.getFirst()).hasToString(line + ": " + warnings.getFirst().meaning());
    assertThat(warnings.getFirst().meaning()).contains("a token of its own choice");
  }

  @Test
  void aHundredOfAKindAreThreeAndANumber() {
    var lines = new ArrayList<String>();
    for (int i = 0; i < 100; i++) {
      lines.add(
          "control-looking token: %6d '<|t%d|>' was not control-type; this is probably a bug"
              .formatted(i, i));
    }
    lines.add("model has unused tensor blk.7.x.weight (size = 12 bytes) -- ignoring");
    List<NativeWarning> warnings = NativeWarning.of(lines);
    assertThat(warnings).hasSize(4);
    assertThat(warnings).extracting(NativeWarning::more).containsExactly(0, 0, 97, 0);
    assertThat(warnings.get(2).toString()).endsWith("(and 97 more like it)");
    assertThat(warnings.getLast().meaning()).contains("has no effect");
  }

  @Test
  void whatSaysNothingAboutTheFileIsLeftOut() {
    assertThat(
            NativeWarning.of(
                List.of(
                    "n_ctx_seq (512) < n_ctx_train (4096) -- the full capacity of the model will"
                        + " not be utilized")))
        .isEmpty();
    NativeWarning end =
        NativeWarning.of(
                List.of(
                    "special_eos_id is not in special_eog_ids - the tokenizer config may be"
                        + " incorrect"))
            .getFirst();
    assertThat(end.harmless()).isTrue();
    assertThat(NativeWarning.of(List.of("something new")).getFirst()).hasToString("something new");
  }
}
