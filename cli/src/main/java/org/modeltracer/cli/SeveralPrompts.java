package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.llama.LlamaModel;
import picocli.CommandLine.Option;

/** One prompt, or a file of many. */
final class SeveralPrompts {
  @Heading(Heading.Topic.PROMPT)
  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "TEXT",
      description = "The prompt.")
  private @Nullable String text;

  @Heading(Heading.Topic.PROMPT)
  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "File of prompts, one per line.")
  private @Nullable Path file;

  @Heading(Heading.Topic.PROMPT)
  @Option(
      names = "--tokens",
      paramLabel = "ID,…",
      split = ",",
      hideParamSyntax = true,
      description = "The prompt as token ids, for models without a usable vocabulary.")
  private int @Nullable [] tokens;

  /**
   * Tokens of each.
   *
   * @param chat how texts become prompts
   */
  List<int[]> tokens(LlamaModel loaded, ChatArguments chat) {
    int given = (text != null ? 1 : 0) + (file != null ? 1 : 0) + (tokens != null ? 1 : 0);
    if (given != 1) {
      throw new CliException(
          ExitCode.USAGE,
          given == 0
              ? "no prompt; give one with -p TEXT, -f FILE (one per line) or --tokens 1,2,3"
              : "give prompts one way: -p, -f or --tokens");
    }
    chat.check(tokens);
    if (tokens != null) {
      return List.of(tokens);
    }
    List<String> texts = text != null ? List.of(text) : lines(file);
    return texts.stream().map(prompt -> chat.tokens(loaded, prompt)).toList();
  }

  private static List<String> lines(@Nullable Path file) {
    String text = file == null ? "" : PromptArguments.text(file);
    List<String> prompts = text.lines().filter(line -> !line.isBlank()).toList();
    if (prompts.isEmpty()) {
      throw new CliException(ExitCode.USAGE, file + ": no prompt in it");
    }
    return prompts;
  }
}
