package org.modeltracer.cli;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionStrategy;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/**
 * Refuses an option that is also the name of a file here, and what Java could not decode.
 *
 * <p>A script that lists files may find one named {@code --llama-lib=lib.gguf}, and whoever put it
 * there must not choose what code runs. Behind {@code --} every word is a file.
 */
final class AmbiguousNames implements IExecutionStrategy {
  private final IExecutionStrategy next = new DeviceListing();

  @Override
  public int execute(ParseResult result) {
    LostBytes.complaint(result.originalArgs())
        .ifPresent(
            lost -> {
              throw new ParameterException(result.asCommandLineList().getLast(), lost);
            });
    for (String word : result.originalArgs()) {
      if (word.equals("--")) {
        break;
      }
      if (word.startsWith("-") && isFile(word)) {
        CommandLine command = result.asCommandLineList().getLast();
        throw new ParameterException(
            command,
            "'%s' is an option and the name of a file here: write ./%s, or put files behind --"
                .formatted(word, word));
      }
    }
    return next.execute(result);
  }

  private static boolean isFile(String word) {
    try {
      return Files.exists(Path.of(word), LinkOption.NOFOLLOW_LINKS);
    } catch (InvalidPathException e) {
      return false;
    }
  }
}
