package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.ChatFormat.Message;

class ChatFormatTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final List<Message> CHAT =
      List.of(new Message("system", "Be kind."), new Message("user", "Größe? 😀"));

  /** The forms as their authors publish them. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void familiesAreRecognisedByWhatTheirTemplatesHold(LlamaRuntime runtime) {
    assertThat(new ChatFormat(runtime, "{{ '<|im_start|>' + m.role }}").prompt(CHAT))
        .contains(
            """
            <|im_start|>system
            Be kind.<|im_end|>
            <|im_start|>user
            Größe? 😀<|im_end|>
            <|im_start|>assistant
            """);
    assertThat(new ChatFormat(runtime, "<|start_header_id|>{{ r }}<|end_header_id|>").prompt(CHAT))
        .contains(
            """
            <|start_header_id|>system<|end_header_id|>

            Be kind.<|eot_id|><|start_header_id|>user<|end_header_id|>

            Größe? 😀<|eot_id|><|start_header_id|>assistant<|end_header_id|>

            """);
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void othersAreNot(LlamaRuntime runtime) {
    assertThat(new ChatFormat(runtime, "{{ messages }}<|zzz|>").prompt(CHAT)).isEmpty();
    assertThat(new ChatFormat(runtime, "").prompt(CHAT)).isEmpty();
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void longMessagesAreWritten(LlamaRuntime runtime) {
    String content = "word ".repeat(40_000) + "end";
    assertThat(
            new ChatFormat(runtime, "<|im_start|>").prompt(List.of(new Message("user", content))))
        .contains("<|im_start|>user\n" + content + "<|im_end|>\n<|im_start|>assistant\n");
  }
}
