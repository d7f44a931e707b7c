package org.modeltracer.gate.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.ChatModel;
import org.modeltracer.gate.policy.PolicyFile;

/**
 * Files whose chats do not begin or end as their templates mean: one is sound, all else differs.
 */
class ChatChecksTest {
  private static final String BOS_FIRST = "{{ bos_token }}" + ChatModel.CHATML;

  @TempDir Path folder;

  private CheckResult ask(String check, ChatModel model) {
    Path file = model.write(folder.resolve("chat.gguf"));
    try (var subject = new Subject(CheckRequest.of(file, PolicyFile.preset("default")))) {
      return Catalogue.find(check).orElseThrow().ask(subject);
    }
  }

  private void passes(String check, ChatModel model) {
    CheckResult result = ask(check, model);
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.PASS);
  }

  private void fails(String check, ChatModel model, String words) {
    CheckResult result = ask(check, model);
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence())
        .as(words)
        .anySatisfy(e -> assertThat(e.message()).contains(words));
  }

  @Test
  void aSoundChatPasses() {
    for (String check : new String[] {"tokenizer.template", "tokenizer.special", "file.loads"}) {
      CheckResult result = ask(check, ChatModel.sound());
      assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.PASS);
      assertThat(result.evidence()).isEmpty();
    }
    passes("tokenizer.template", ChatModel.sound().token("<|im_start|>", ChatModel.USER_DEFINED));
    // Text between the marks and unusual places of them are no faults.
    passes(
        "tokenizer.template",
        ChatModel.sound()
            .template(
                "{% for m in messages %}{% if m.role == 'user' %}<|im_start|>{{ m.content }}[/u]"
                    + "{% else %}{{ m.content | trim }}<|im_end|>{% endif %}{% endfor %}"));
  }

  @Test
  void anEndAtWhichLlamaGoesOn() {
    ChatModel odd =
        new ChatModel()
            .token("<|turn>", ChatModel.CONTROL)
            .token("<|zzz_end|>", ChatModel.CONTROL)
            .template(
                ChatModel.CHATML
                    .replace("<|im_start|>", "<|turn>")
                    .replace("<|im_end|>", "<|zzz_end|>"));
    fails(
        "tokenizer.template",
        odd,
        "the template ends a turn with <|zzz_end|>, at which llama.cpp does not stop");
    passes("tokenizer.template", odd.number("eot_token_id", odd.id("<|zzz_end|>")));
  }

  /** That a user's turn ends well does not help an answer. */
  @Test
  void theEndOfTheAnswerCounts() {
    ChatModel model =
        ChatModel.sound()
            .token("<|answered|>", ChatModel.CONTROL)
            .template(
                "{% for m in messages %}{% if m.role == 'assistant' %}<|im_start|>{{ m.content }}"
                    + "<|answered|>{% else %}<|im_start|>{{ m.content }}<|im_end|>{% endif %}"
                    + "{% endfor %}");
    fails("tokenizer.template", model, "ends a turn with <|answered|>");
  }

  @Test
  void marksOfAnotherModel() {
    ChatModel foreign =
        ChatModel.sound()
            .template(
                ChatModel.CHATML
                    .replace("im_start", "start_of_turn")
                    .replace("im_end", "end_of_turn"));
    fails(
        "tokenizer.template",
        foreign,
        "<|start_of_turn|> of the chat template is not a token of the vocabulary");
    fails("tokenizer.template", foreign, "<|end_of_turn|>, at which llama.cpp does not stop");
    fails(
        "tokenizer.template",
        ChatModel.sound().template(ChatModel.CHATML.replace("<|im_end|>", "</s>")),
        "</s> of the chat template is not a token");
  }

  /** Models that were taught their marks as words end turns with EOS, and have no other marks. */
  @Test
  void wordsThatLookLikeMarksAreNoFault() {
    ChatModel words =
        new ChatModel()
            .template(
                "{% for m in messages %}{{ '<|' + m.role + '|>\n"
                    + "<|user|>' + m.content + eos_token }}{% endfor %}");
    passes("tokenizer.template", words);
  }

  @Test
  void controlTokensTypedAsText() {
    ChatModel typed = ChatModel.sound().token("<|im_start|>", ChatModel.NORMAL);
    CheckResult result = ask("tokenizer.template", typed);
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.message())
        .matches(
            "<\\|im_start\\|> of the chat template is not a special token \\(type 1, normal\\): it"
                + " is read as \\d+ tokens");
    assertThat(result.evidence().getFirst().severity()).isEqualTo(Severity.CRITICAL);
    fails("tokenizer.special", typed, "<|im_start|> is not a special token (type 1, normal)");
  }

  @Test
  void llamasOwnWarningsAreNotes() {
    CheckResult result = ask("file.loads", ChatModel.sound().token("<|im_end|>", ChatModel.NORMAL));
    assertThat(result.verdict()).isEqualTo(Verdict.PASS);
    assertThat(result.evidence())
        .singleElement()
        .satisfies(
            note -> {
              assertThat(note.rule()).isEqualTo("llama_cpp_warning");
              assertThat(note.severity()).isEqualTo(Severity.INFO);
              assertThat(note.message())
                  .contains("control-looking token", "<|im_end|>", "types it as ordinary text");
            });
    assertThat(result.message()).contains("it warns: control-looking token");
  }

  @ParameterizedTest
  @CsvSource({"-1, is -1", "999999, is 999999", "200, names it"})
  void anEndThatIsOrdinaryText(long id, String why) {
    CheckResult result = ask("tokenizer.special", ChatModel.sound().number("eos_token_id", id));
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.FAIL);
    assertThat(result.message())
        .startsWith("llama.cpp stops at token %d, ".formatted(id == 200 ? 200 : 11))
        .contains("which is ordinary text", "eos_token_id " + why);
    fails(
        "file.metadata",
        ChatModel.sound().number("eos_token_id", id),
        id == -1 ? "is -1, which is not a token" : "eos_token_id");
  }

  @Test
  void aBeginThatIsOrdinaryText() {
    fails(
        "tokenizer.special",
        ChatModel.sound().number("bos_token_id", -1),
        "llama.cpp begins every text with token 11");
    passes("tokenizer.special", ChatModel.sound().number("bos_token_id", -1).addBos(false));
  }

  @Test
  void twoBeginnings() {
    // One is taken off by those who know both; that is how most published models are.
    CheckResult usual = ask("tokenizer.template", ChatModel.sound().template(BOS_FIRST));
    assertThat(usual.verdict()).isEqualTo(Verdict.PASS);
    assertThat(usual.evidence())
        .singleElement()
        .satisfies(note -> assertThat(note.rule()).isEqualTo("double_bos"));
    fails(
        "tokenizer.template",
        ChatModel.sound().template("{{ bos_token }}" + BOS_FIRST),
        "a chat gets 2 BOS tokens");
    fails(
        "tokenizer.template",
        ChatModel.sound().template("<|bos|>{{ bos_token }}" + ChatModel.CHATML),
        "a chat gets 2 BOS tokens");
    fails(
        "tokenizer.template",
        ChatModel.sound().template("<|bos|>" + BOS_FIRST).addBos(false),
        "begins a chat with 2 BOS tokens");
    CheckResult one =
        ask("tokenizer.template", ChatModel.sound().template(BOS_FIRST).addBos(false));
    assertThat(one.verdict()).isEqualTo(Verdict.PASS);
    assertThat(one.evidence()).isEmpty();
  }
}
