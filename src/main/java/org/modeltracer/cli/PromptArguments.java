package org.modeltracer.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Vocabulary;
import picocli.CommandLine.Option;

/** What the model is given to read. */
final class PromptArguments {
  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "TEXT",
      description = "The prompt.")
  @Nullable String text;

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "File that holds the prompt.")
  @Nullable Path file;

  @Option(
      names = "--tokens",
      paramLabel = "ID,…",
      split = ",",
      hideParamSyntax = true,
      description = "The prompt as token ids, for models without a usable vocabulary.")
  int @Nullable [] tokens;

  /** Tokens of the prompt, whichever way it was given. */
  int[] tokens(Vocabulary vocabulary) {
    int given = (text != null ? 1 : 0) + (file != null ? 1 : 0) + (tokens != null ? 1 : 0);
    if (given != 1) {
      throw new CliException(
          ExitCode.USAGE,
          given == 0
              ? "no prompt; give one with -p TEXT, -f FILE or --tokens 1,2,3"
              : "give one prompt: -p, -f or --tokens");
    }
    if (tokens != null) {
      return tokens;
    }
    return vocabulary.tokenize(text != null ? text : read(file), true, true);
  }

  private static String read(@Nullable Path file) {
    try {
      return file == null ? "" : Files.readString(file).replaceFirst("\\R\\z", "");
    } catch (java.nio.charset.MalformedInputException e) {
      throw new CliException(ExitCode.USAGE, file + ": the prompt file is not UTF-8 text");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
