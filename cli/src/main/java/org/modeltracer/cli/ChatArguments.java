package org.modeltracer.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.jinja.ChatTemplate;
import org.modeltracer.jinja.TemplateSyntaxException;
import org.modeltracer.llama.ChatFormat;
import org.modeltracer.llama.ChatFormat.Message;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Vocabulary;
import picocli.CommandLine.Option;

/** Whether a prompt is one turn of a chat, in the form that the model's template asks for. */
@Heading(Heading.Topic.PROMPT)
final class ChatArguments {
  @Option(
      names = "--chat",
      description =
          "Send the prompt as a user's message, in llama.cpp's form of the model's own chat"
              + " template.")
  private boolean chat;

  @Option(
      names = {"-sys", "--system", "--system-prompt"},
      paramLabel = "TEXT",
      description = "Send TEXT as the system message before it; implies --chat.")
  private @Nullable String system;

  /** Whether prompts are messages. */
  boolean wanted() {
    return chat || system != null;
  }

  /** Tokens of a prompt: as it stands, or as a message. */
  int[] tokens(LlamaModel model, String prompt) {
    return wanted() ? message(model, prompt) : model.vocabulary().tokenize(prompt, true, true);
  }

  private int[] message(LlamaModel model, String prompt) {
    String template =
        model
            .chatTemplate()
            .orElseThrow(
                () ->
                    refused(
                        "the file has no chat template: leave --chat out, and write the chat's own"
                            + " marks into the prompt"));
    if (prompt.indexOf('\0') >= 0 || (system != null && system.indexOf('\0') >= 0)) {
      throw refused("a message cannot hold the character NUL");
    }
    var messages = new ArrayList<Message>();
    if (system != null) {
      messages.add(new Message("system", system));
    }
    messages.add(new Message("user", prompt));
    String text =
        new ChatFormat(model.runtime(), template)
            .prompt(messages)
            .orElseThrow(
                () ->
                    refused(
                        "llama.cpp "
                            + model.runtime().version()
                            + " has no built-in form for this chat template: leave --chat out, and"
                            + " write the chat's own marks into the prompt"));
    return withOneBos(model.vocabulary(), template, text);
  }

  /** As llama-server does: BOS comes from the tokenizer or from the template, and once. */
  private static int[] withOneBos(Vocabulary vocabulary, String template, String text) {
    int[] plain = vocabulary.tokenize(text, false, true);
    int bos = vocabulary.bos();
    boolean begins = bos >= 0 && plain.length > 0 && plain[0] == bos;
    if (begins) {
      return plain;
    }
    if (vocabulary.addsBos() || bos < 0 || !writesBos(template)) {
      return vocabulary.tokenize(text, true, true);
    }
    return IntStream.concat(IntStream.of(bos), IntStream.of(plain)).toArray();
  }

  private static boolean writesBos(String template) {
    try {
      return ChatTemplate.parse(template).names().contains("bos_token");
    } catch (TemplateSyntaxException e) {
      return false;
    }
  }

  /** Refuses what is no text. */
  void check(int @Nullable [] tokens) {
    if (wanted() && tokens != null) {
      throw refused("it is for a text (-p or -f), not for --tokens");
    }
  }

  private static CliException refused(String reason) {
    return new CliException(ExitCode.USAGE, "--chat: " + reason);
  }

  /** What a vocabulary writes for a prompt, marks included. */
  static String sent(Vocabulary vocabulary, int[] tokens) {
    return vocabulary.detokenize(tokens, true);
  }

  /** Says of each prompt that begins with BOS twice that it does. */
  static List<String> doubledBos(Vocabulary vocabulary, List<int[]> prompts) {
    int bos = vocabulary.bos();
    return prompts.stream()
        .filter(ids -> bos >= 0 && ids.length > 1 && ids[0] == bos && ids[1] == bos)
        .map(
            ids ->
                "the prompt begins with two %s: the model's tokenizer puts one before every text, so"
                        .formatted(vocabulary.text(bos))
                    + " leave it out of yours")
        .distinct()
        .toList();
  }
}
