package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.input.SmallFile;
import org.modeltracer.llama.Vocabulary;
import picocli.CommandLine.Option;

/** What the model is given to read. */
@Heading(Heading.Topic.PROMPT)
final class PromptArguments {
  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "TEXT",
      description = "The prompt.")
  List<String> texts = List.of();

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "File that holds the prompt; - for standard input.")
  List<Path> files = List.of();

  @Option(
      names = "--tokens",
      paramLabel = "ID,…",
      split = ",",
      hideParamSyntax = true,
      description = "The prompt as token ids, for models without a usable vocabulary.")
  int @Nullable [] tokens;

  @Option(
      names = {"-e", "--escape"},
      description =
          "Read \\n"
              + ", \\t, \\r"
              + ", \\\", \\', \\\\ and \\xHH in the prompt as the characters they stand for.")
  private boolean escape;

  @Option(names = "--no-escape", hidden = true)
  @SuppressWarnings("UnusedVariable") // What is done anyway: llama.cpp's programs need to be told.
  private boolean asItStands;

  /** Whether there is a prompt at all. */
  boolean given() {
    return !texts.isEmpty() || !files.isEmpty() || tokens != null;
  }

  /** Tokens of the prompt as it stands, whichever way it was given. */
  int[] tokens(Vocabulary vocabulary) {
    return tokens(text -> vocabulary.tokenize(text, true, true));
  }

  /** Tokens of the prompt, whichever way it was given, as {@code reads} makes them of a text. */
  int[] tokens(Function<String, int[]> reads) {
    List<int[]> prompts = all(reads);
    if (prompts.size() > 1) {
      throw new CliException(ExitCode.USAGE, "give one prompt: -p, -f or --tokens");
    }
    return prompts.getFirst();
  }

  /** Tokens of each prompt, in the order given: any number of texts, or of files. */
  List<int[]> all(Function<String, int[]> reads) {
    int ways = (texts.isEmpty() ? 0 : 1) + (files.isEmpty() ? 0 : 1) + (tokens == null ? 0 : 1);
    if (ways != 1) {
      throw new CliException(
          ExitCode.USAGE,
          ways == 0
              ? "no prompt; give one with -p TEXT, -f FILE or --tokens 1,2,3"
              : "give one prompt: -p, -f or --tokens");
    }
    if (tokens != null) {
      return List.of(tokens);
    }
    var prompts = new ArrayList<int[]>();
    texts.forEach(text -> prompts.add(reads.apply(unescaped(text))));
    files.forEach(file -> prompts.add(reads.apply(unescaped(read(file)))));
    return prompts;
  }

  private String unescaped(String text) {
    return escape ? Escapes.read(text) : text;
  }

  private static String read(Path file) {
    String text =
        file.toString().equals("-")
            ? SmallFile.standardInput(SmallFile.TEXT, SmallFile.PATIENCE)
            : text(file);
    return text.replaceFirst("\\R\\z", "");
  }

  /** A file's text. */
  static String text(Path file) {
    return SmallFile.text(file, SmallFile.TEXT, SmallFile.PATIENCE);
  }
}
