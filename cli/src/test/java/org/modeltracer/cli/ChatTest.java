package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gate.ChatModel;
import tools.jackson.databind.JsonNode;

/** One turn of a chat: what is typed, and what the model is given to read. */
class ChatTest {
  private static final String SENT =
      """
      <|bos|><|im_start|>system
      Be kind.<|im_end|>
      <|im_start|>user
      Hello<|im_end|>
      <|im_start|>assistant
      """;

  @TempDir Path folder;

  private Cli run(ChatModel model, Object... args) {
    Path file = model.write(folder.resolve("chat.gguf"));
    Object[] all = new Object[args.length + 8];
    System.arraycopy(
        new Object[] {"run", "-m", file, "-n", 2, "--json", "--out", folder.resolve("out")},
        0,
        all,
        0,
        8);
    System.arraycopy(args, 0, all, 8, args.length);
    return Cli.run(all);
  }

  private static JsonNode prompt(Cli cli) {
    assertThat(cli.code()).as(cli.err()).isZero();
    return cli.json().get("prompt");
  }

  @Test
  void theMessageIsSentInTheTemplatesForm() {
    JsonNode prompt = prompt(run(ChatModel.sound(), "--chat", "-sys", "Be kind.", "-p", "Hello"));
    assertThat(prompt.get("text").asString()).isEqualTo(SENT);
    // The same tokens as of the text, whose marks are tokens and which the tokenizer begins.
    JsonNode raw = prompt(run(ChatModel.sound(), "-p", SENT.replace("<|bos|>", "")));
    assertThat(raw.get("sha256")).isEqualTo(prompt.get("sha256"));
    assertThat(raw.has("text")).isFalse();
  }

  @Test
  void thereIsOneBos() {
    String own = "{{ bos_token }}" + ChatModel.CHATML;
    for (ChatModel model :
        List.of(
            ChatModel.sound().template(own),
            ChatModel.sound().template(own).addBos(false),
            ChatModel.sound())) {
      String sent =
          prompt(run(model, "--chat", "--system", "Be kind.", "-p", "Hello"))
              .get("text")
              .asString();
      assertThat(sent).isEqualTo(SENT);
    }
    assertThat(
            prompt(run(ChatModel.sound().addBos(false), "-sys", "Be kind.", "-p", "Hello"))
                .get("text")
                .asString())
        .as("neither the template nor the tokenizer wants one")
        .isEqualTo(SENT.replace("<|bos|>", ""));
  }

  @Test
  void aPromptThatBeginsTwiceIsTold() {
    Cli twice = run(ChatModel.sound(), "-p", "<|bos|>Hello");
    assertThat(twice.err()).contains("the prompt begins with two <|bos|>");
    assertThat(run(ChatModel.sound(), "-p", "Hello").err()).isEmpty();
    assertThat(run(ChatModel.sound().addBos(false), "-p", "<|bos|>Hello").err()).isEmpty();
  }

  @Test
  void whatLlamaDoesNotKnowIsRefused() {
    refused(
        run(ChatModel.sound().template("{{ messages }}<|zzz|>"), "--chat", "-p", "x"),
        "has no built-in form for this chat template");
    Cli none = Cli.run("run", "-m", Cli.MODEL, "--chat", "-p", "x", "--out", folder.resolve("o"));
    refused(none, "the file has no chat template");
    refused(run(ChatModel.sound(), "--chat", "--tokens", "1,2"), "not for --tokens");
  }

  private static void refused(Cli cli, String words) {
    assertThat(cli.code()).isEqualTo(2);
    assertThat(cli.message()).startsWith("modeltracer: --chat: ").contains(words);
    assertThat(cli.err().lines()).hasSize(1);
  }

  @Test
  void otherCommandsReadTheSameTokens() {
    Path file = ChatModel.sound().write(folder.resolve("chat.gguf"));
    int tokens =
        prompt(run(ChatModel.sound(), "-sys", "Be kind.", "-p", "Hello")).get("tokens").asInt();
    Cli lens = Cli.run("lens", "-m", file, "-sys", "Be kind.", "-p", "Hello", "-n", 1, "--json");
    assertThat(lens.json().get("prompt_tokens").asInt()).isEqualTo(tokens);
    Cli attention =
        Cli.run("attention", "-m", file, "-sys", "Be kind.", "-p", "Hello", "--out", folder);
    assertThat(attention.out()).contains("1 prompt, %d tokens".formatted(tokens));
  }

  /** llama.cpp's warnings are told where the model is loaded, and nothing in them acts. */
  @Test
  void warningsOfLlamaArePassedOn() {
    Cli cli = run(ChatModel.sound().token("<|im_end|>", ChatModel.NORMAL), "-p", "Hello");
    assertThat(cli.code()).isZero();
    assertThat(cli.err().lines())
        .singleElement()
        .asString()
        .startsWith("modeltracer: llama.cpp warns: control-looking token: ")
        .contains("'<|im_end|>'", "the file types it as ordinary text");
    assertThat(run(ChatModel.sound().number("eos_token_id", -1), "-p", "Hello").err().lines())
        .singleElement()
        .asString()
        .contains("bad special token: 'tokenizer.ggml.eos_token_id'", "a token of its own choice");
  }
}
