package org.modeltracer.cli;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import org.modeltracer.process.JavaError;
import org.modeltracer.process.SupervisedProgram;

/**
 * Runs the commands that load a model in a process that may go down with it.
 *
 * <p>Decided from the words alone, before anything is parsed: this process costs little because it
 * loads little.
 */
final class Supervision {
  /** {@code check} has workers of its own, and a word that is no command loads nothing. */
  private static final Set<String> LOADING =
      Set.of("run", "demo", "inspect", "heads", "diff", "attention", "lens", "export", "bench");

  private static final Set<String> NOT =
      Set.of("--in-process", "--no-sites", "-h", "--help", "-V", "--version");

  private Supervision() {}

  /** Whether a command line is for a process of its own. */
  static boolean wanted(String... args) {
    List<String> words = List.of(args);
    int files = words.indexOf("--");
    List<String> options = files < 0 ? words : words.subList(0, files);
    return !words.isEmpty()
        && LOADING.contains(words.getFirst())
        && (options.stream().noneMatch(NOT::contains)
            || options.contains("--weights") && !options.contains("--in-process"));
  }

  /** Runs the program again in a process of its own; returns its exit code. */
  static int run(String... args) {
    try {
      SupervisedProgram.End end = SupervisedProgram.run(Main.class, List.of(args));
      return end.crash().map(Failures::ofProcess).orElse(end.code());
    } catch (IOException e) {
      return Failures.ofProcess(
          "cannot start a process for the model (--in-process does without): " + e.getMessage());
    } catch (Error e) {
      return Failures.ofProcess(JavaError.words(e));
    }
  }
}
