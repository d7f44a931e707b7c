package org.modeltracer.cli;

import java.io.File;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.modeltracer.llama.NativeStderr;
import org.modeltracer.model.VisibleText;
import org.modeltracer.process.ChildJvm;
import org.modeltracer.process.JavaError;
import org.modeltracer.process.StandardError;
import org.modeltracer.process.SupervisedProgram;
import org.modeltracer.session.RunDescription;

/**
 * Where the program begins: commands that load a model run in a process that may go down with it.
 *
 * <p>Which they are is decided from the words alone. The process that waits loads next to nothing,
 * so that it costs next to nothing; {@link Main}, with all options, begins in the other.
 */
public final class Launch {
  private static final int FAILURE = 5;

  /**
   * {@code check} and {@code doctor} have workers of their own, {@code attach} and {@code report}
   * load no model, and a word that is no command loads nothing.
   */
  static final Set<String> LOADING =
      Set.of(
          "run",
          "demo",
          "inspect",
          "heads",
          "diff",
          "attention",
          "sparse",
          "lens",
          "perplexity",
          "export",
          "bench");

  /** Those that an optimizing compiler pays for on models of any size. */
  private static final Set<String> LASTING = Set.of("diff", "perplexity", "bench");

  private static final Set<String> VERSION = Set.of("-V", "--version");

  private static final Set<String> LOADING_NOTHING =
      Set.of("--in-process", "-h", "--help", "-V", "--version");

  private Launch() {}

  /** Runs the program and ends the process with its exit code. */
  public static void main(String[] args) {
    try {
      int waiting = StandardError.waiting();
      if (waiting >= 0) {
        NativeStderr.become(waiting);
      }
      if (args.length == 1 && VERSION.contains(args[0])) {
        System.exit(printVersion());
      }
      if (!SupervisedProgram.watched() && supervised(args)) {
        int code = supervise(args);
        System.out.flush();
        // Nothing is left to tidy up; an orderly exit sets up a log first.
        Runtime.getRuntime().halt(code);
      }
      Main.main(args);
    } catch (Error e) {
      // What would say it better may be what cannot be loaded.
      System.err.println("modeltracer: Java failed, are there memory and open files left? " + e);
      SupervisedProgram.exit(FAILURE);
    }
  }

  /** Program and version, as {@code --version} has it. */
  static String version() {
    return "modeltracer " + RunDescription.version();
  }

  /** Without {@link Main}, whose options take ten times as long to set up. */
  private static int printVersion() {
    System.out.println(version());
    if (System.out.checkError()) {
      System.err.println("modeltracer: " + Main.UNWRITABLE);
      return FAILURE;
    }
    return 0;
  }

  /** Whether a command line is for a process of its own. */
  static boolean supervised(String... args) {
    if (args.length == 0 || !LOADING.contains(args[0])) {
      return false;
    }
    List<String> words = Arrays.asList(args);
    int files = words.indexOf("--");
    for (String word : files < 0 ? words : words.subList(0, files)) {
      if (LOADING_NOTHING.contains(word)) {
        return false;
      }
    }
    return true;
  }

  /** What a command has to do, told from the files that it names. */
  static ChildJvm.Work work(List<String> words) {
    String command = words.getFirst();
    boolean reads = command.equals("inspect") && !words.contains("--weights");
    boolean small =
        !words.contains("--synthetic")
            && words.stream()
                .map(word -> new File(word.substring(word.indexOf('=') + 1)))
                .allMatch(ChildJvm::small);
    if (reads || small && !LASTING.contains(command)) {
      return ChildJvm.Work.BRIEF;
    }
    return small ? ChildJvm.Work.SMALL : ChildJvm.Work.LARGE;
  }

  /** Runs the program in a process of its own; returns its exit code. */
  private static int supervise(String... args) {
    List<String> words = Arrays.asList(args);
    String failure;
    try {
      SupervisedProgram.End end = SupervisedProgram.run(Launch.class, words, work(words));
      if (end.crash() == null) {
        return end.code();
      }
      failure = end.begun() ? end.crash() : end.crash() + " --in-process does without";
    } catch (IOException e) {
      // Java's guesses at the cause follow, line by line.
      String why = String.valueOf(e.getMessage()).lines().findFirst().orElse("").strip();
      failure = "cannot start a process for the model (--in-process does without): " + why;
    } catch (Error e) {
      failure = JavaError.words(e);
    }
    System.err.println("modeltracer: " + VisibleText.line(failure));
    return FAILURE;
  }
}
