package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;

class ParameterLayoutsTest {
  static final List<CStruct> MODEL = KnownLayouts.MODEL;
  static final List<CStruct> CONTEXT = KnownLayouts.CONTEXT;

  private static final String MODEL_PARAMS = "llama_model_params";
  private static final String CONTEXT_PARAMS = "llama_context_params";

  /** Offsets measured with a C compiler on the two releases' own headers. */
  @Test
  void offsetsAreThoseOfTheCompiler() {
    CStruct oldModel = MODEL.getFirst();
    assertThat(oldModel.generation()).isEqualTo("b4916 to b4980");
    assertThat(oldModel.size()).isEqualTo(64);
    assertThat(offsets(oldModel, "n_gpu_layers", "tensor_split", "vocab_only", "check_tensors"))
        .containsExactly(8, 24, 56, 59);
    CStruct newModel = MODEL.getLast();
    assertThat(newModel.generation()).isEqualTo("v0.4.0 to v0.5.0");
    assertThat(newModel.size()).isEqualTo(80);
    assertThat(offsets(newModel, "n_gpu_layers", "main_gpu", "progress_callback", "check_tensors"))
        .containsExactly(16, 32, 48, 73);
    CStruct oldContext = CONTEXT.getFirst();
    assertThat(oldContext.size()).isEqualTo(120);
    assertThat(offsets(oldContext, "n_threads", "cb_eval", "type_k", "flash_attn", "no_perf"))
        .containsExactly(16, 72, 88, 99, 100);
    CStruct newContext = CONTEXT.getLast();
    assertThat(newContext.size()).isEqualTo(160);
    assertThat(
            offsets(
                newContext, "n_threads", "flash_attn_type", "cb_eval", "embeddings", "samplers"))
        .containsExactly(28, 52, 88, 128, 136);
  }

  private static List<Integer> offsets(CStruct layout, String... fields) {
    return List.of(fields).stream().map(layout::offset).toList();
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void realLibrariesAreRecognisedAsWhatTheyAre(LlamaRuntime runtime) {
    ParameterLayouts layouts = runtime.layouts();
    assertThat(layouts.context()).isIn(CONTEXT);
    assertThat(layouts.model()).isIn(MODEL);
    String version = runtime.version();
    String release = version.matches("\\d.*") ? "v" + version.replace("-dev", "") : version;
    int position = KnownLayouts.RELEASES.indexOf(release);
    for (CStruct layout : List.of(layouts.model(), layouts.context())) {
      if (position >= 0) {
        assertThat(KnownLayouts.RELEASES.indexOf(layout.since())).isLessThanOrEqualTo(position);
        assertThat(KnownLayouts.RELEASES.indexOf(layout.until())).isGreaterThanOrEqualTo(position);
      }
    }
  }

  @ParameterizedTest
  @FieldSource("MODEL")
  void eachModelLayoutIsToldFromTheOthers(CStruct layout) {
    assertThat(ParameterLayouts.recognise(MODEL, SyntheticDefaults.of(MODEL_PARAMS, layout)))
        .isEqualTo(layout);
  }

  @ParameterizedTest
  @FieldSource("CONTEXT")
  void eachContextLayoutIsToldFromTheOthersAndAgreesWithItsFingerprint(CStruct layout) {
    Defaults defaults = SyntheticDefaults.of(CONTEXT_PARAMS, layout);
    assertThat(ParameterLayouts.recognise(CONTEXT, defaults)).isEqualTo(layout);
    assertThat(ParameterLayouts.confirmed(Fingerprint.of(defaults), layout)).isEqualTo(layout);
  }

  /** A field that moved shows as a changed default of another. */
  @ParameterizedTest
  @FieldSource("CONTEXT")
  void aChangedDefaultIsRefused(CStruct layout) {
    for (CStruct.Field field : layout.fields().values()) {
      Defaults changed =
          SyntheticDefaults.of(
              CONTEXT_PARAMS, layout, bytes -> bytes.put(field.offset(), (byte) 0x33));
      assertThatThrownBy(() -> ParameterLayouts.recognise(CONTEXT, changed))
          .as(field.name())
          .isInstanceOf(LlamaException.class)
          .hasMessageStartingWith("unknown layout of llama_context_params: ");
    }
  }

  @Test
  void anUnknownSizeIsRefusedWithTheKnownOnes() {
    Defaults larger = changed(bytes -> bytes.putLong(160, 0));
    assertThatThrownBy(() -> ParameterLayouts.recognise(CONTEXT, larger))
        .isInstanceOf(LlamaException.class)
        .hasMessage(
            "unknown layout of llama_context_params: 168 bytes; known are 120 (b4916 to b7347),"
                + " 136 (b7698 to b8390), 160 (b9842 to v0.5.0)");
  }

  @Test
  void anUnknownDefaultIsRefusedWithTheFieldThatDiffers() {
    Defaults other = changed(bytes -> bytes.putInt(0, 4096));
    assertThatThrownBy(() -> ParameterLayouts.recognise(CONTEXT, other))
        .isInstanceOf(LlamaException.class)
        .hasMessage(
            "unknown layout of llama_context_params: 160 bytes;"
                + " unlike b10361 to v0.5.0, n_ctx@0 is 4096, not 512");
  }

  @Test
  void aValueWhereNoFieldWasIsRefused() {
    Defaults other = changed(bytes -> bytes.put(134, (byte) 1));
    assertThatThrownBy(() -> ParameterLayouts.recognise(CONTEXT, other))
        .isInstanceOf(LlamaException.class)
        .hasMessage(
            "unknown layout of llama_context_params: 160 bytes;"
                + " unlike b10361 to v0.5.0, byte 134 is 1, where no field was");
    Defaults zero = changed(bytes -> bytes.put(134, (byte) 0));
    assertThat(ParameterLayouts.recognise(CONTEXT, zero)).isEqualTo(CONTEXT.getLast());
  }

  @Test
  void layoutsThatFitTheSameDefaultsAndDifferAreRefused() {
    CStruct one = CStruct.parse("b1", "i32 a=1\nbool check=0\nbool lock=0");
    CStruct other = CStruct.parse("b2", "i32 a=1\nbool lock=0\nbool check=0");
    Defaults defaults = SyntheticDefaults.of(MODEL_PARAMS, one);
    assertThatThrownBy(() -> ParameterLayouts.recognise(List.of(one, other), defaults))
        .isInstanceOf(LlamaException.class)
        .hasMessage(
            "unknown layout of llama_model_params: 8 bytes;"
                + " its defaults fit both b1 and b2, which differ");
  }

  @Test
  void aFingerprintThatContradictsTheTableIsRefused() {
    Fingerprint moved = new Fingerprint(28, 80, Optional.of(52));
    assertThatThrownBy(() -> ParameterLayouts.confirmed(moved, CONTEXT.getLast()))
        .isInstanceOf(LlamaException.class)
        .hasMessage(
            "contradictory layout of llama_context_params: cb_eval is found at byte 80,"
                + " but the layout of b10361 to v0.5.0 has it at byte 88");
    Fingerprint flag = new Fingerprint(28, 88, Optional.empty());
    assertThatThrownBy(() -> ParameterLayouts.confirmed(flag, CONTEXT.getLast()))
        .hasMessage(
            "contradictory layout of llama_context_params: flash_attn_type is found at no byte,"
                + " but the layout of b10361 to v0.5.0 has it at byte 52");
  }

  @Test
  void defaultsWithoutTheMarksOfAFingerprintAreRefused() {
    var refused = new ArrayList<String>();
    List<Consumer<ByteBuffer>> changes =
        List.of(
            bytes -> bytes.putInt(28, 5),
            bytes -> bytes.putInt(44, 0),
            bytes -> bytes.putFloat(84, 0.1f),
            bytes -> bytes.putInt(104, 0));
    for (Consumer<ByteBuffer> change : changes) {
      assertThatThrownBy(() -> Fingerprint.of(changed(change)))
          .isInstanceOf(LlamaException.class)
          .satisfies(e -> refused.add(e.getMessage()));
    }
    String start = "unknown layout of llama_context_params: its defaults do not show ";
    String callback = "cb_eval between the defragmentation threshold and the two F16 cache types";
    assertThat(refused)
        .containsExactly(
            start + "the two thread counts of 4",
            start + "a run of 3 or 4 enums of -1 after the thread counts (found 1)",
            start + callback,
            start + callback);
  }

  private static Defaults changed(Consumer<ByteBuffer> change) {
    return SyntheticDefaults.of(CONTEXT_PARAMS, CONTEXT.getLast(), change);
  }
}
