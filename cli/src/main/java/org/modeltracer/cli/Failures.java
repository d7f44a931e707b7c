package org.modeltracer.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.VisibleText;
import org.modeltracer.process.JavaError;
import org.modeltracer.process.SupervisedProgram;
import org.modeltracer.process.Trail;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns every failure into one line on stderr and an exit code by kind. */
final class Failures implements IParameterExceptionHandler, IExecutionExceptionHandler {
  @Override
  public int handleParseException(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    Optional<String> lost = LostBytes.complaint(List.of(args));
    if (lost.isPresent()) {
      err.println("modeltracer: " + oneLine(lost.get()));
      return ExitCode.USAGE.code();
    }
    Optional<String> foreign =
        e instanceof UnmatchedArgumentException unmatched ? foreign(unmatched) : Optional.empty();
    if (foreign.isPresent()) {
      err.println("modeltracer: " + oneLine(foreign.get()));
      return ExitCode.USAGE.code();
    }
    err.println("modeltracer: " + oneLine(e.getMessage()));
    if (!UnmatchedArgumentException.printSuggestions(e, err)) {
      err.println("Try '" + command.getCommandSpec().qualifiedName(" ") + " --help'.");
    }
    return ExitCode.USAGE.code();
  }

  /** What to say of the first option that is not ours where it is llama.cpp's, or ours unspaced. */
  private static Optional<String> foreign(UnmatchedArgumentException e) {
    String first = e.getUnmatched().stream().filter(a -> a.startsWith("-")).findFirst().orElse("");
    Optional<String> advice = LlamaFlags.advice(first);
    if (advice.isPresent()) {
      return Optional.of(first.replaceFirst("=.*", "") + ": not supported: " + advice.get());
    }
    return e.getCommandLine().getCommandSpec().optionsMap().keySet().stream()
        .filter(name -> !name.startsWith("--") && first.matches(Pattern.quote(name) + "[0-9].*"))
        .findFirst()
        .map(name -> "%s: write %s %s".formatted(first, name, first.substring(name.length())));
  }

  /**
   * What is said of an error of Java's own, which no fault of a file or an argument is.
   *
   * @return the exit code of a failure
   */
  static int ofJava(Error e, PrintWriter err) {
    err.println("modeltracer: " + oneLine(JavaError.words(e)));
    if (System.getenv("MODELTRACER_DEBUG") != null) {
      e.printStackTrace(err);
    }
    return ExitCode.FAILURE.code();
  }

  @Override
  public int handleExecutionException(Exception e, CommandLine command, ParseResult result) {
    command.getErr().println("modeltracer: " + oneLine(message(e)));
    if (exitCode(e) == ExitCode.FAILURE && System.getenv("MODELTRACER_DEBUG") != null) {
      e.printStackTrace(command.getErr());
    }
    return exitCode(e).code();
  }

  /**
   * Has a failed assertion of llama.cpp, after which it ends the process, end it our way: with one
   * line, what {@code save} can save, and the exit code of a failure.
   */
  static void onAbort(LlamaRuntime runtime, Terminal terminal, Runnable save) {
    runtime.onAbort(
        message -> {
          terminal.note(
              "modeltracer: llama.cpp failed an assertion and cannot go on %s: %s"
                  .formatted(Trail.own().where(), message));
          // The thread that failed may not be the one that traces: saving must not wait for that
          // for ever.
          Thread.ofPlatform().daemon().start(Failures::haltInTime);
          try {
            save.run();
          } finally {
            SupervisedProgram.halt(ExitCode.FAILURE.code());
          }
        });
  }

  private static void haltInTime() {
    LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(Interrupt.PATIENCE_SECONDS));
    SupervisedProgram.halt(ExitCode.FAILURE.code());
  }

  private static ExitCode exitCode(Exception e) {
    return switch (e) {
      case CliException own -> own.exitCode();
      case GgufException malformed -> ExitCode.BAD_FILE;
      case LlamaException llama ->
          switch (llama.kind()) {
            case MODEL -> ExitCode.BAD_FILE;
            case LIBRARY, CONTEXT, ARGUMENT -> ExitCode.USAGE;
            case DECODE -> ExitCode.FAILURE;
            case CANCELLED -> ExitCode.INTERRUPTED;
          };
      case IllegalArgumentException wrong -> ExitCode.USAGE;
      default -> ExitCode.FAILURE;
    };
  }

  private static @Nullable String message(Exception e) {
    return switch (e) {
      case CliException own -> own.getMessage();
      case GgufException malformed -> malformed.getMessage();
      case LlamaException llama -> llama.message(SettingFlags::flag);
      case IllegalArgumentException wrong -> wrong.getMessage();
      case UncheckedIOException io -> ioMessage(Objects.requireNonNull(io.getCause()));
      case IOException io -> ioMessage(io);
      default ->
          "internal error, please report it (MODELTRACER_DEBUG=1 shows where): "
              + e.getClass().getSimpleName()
              + (e.getMessage() == null ? "" : ": " + e.getMessage());
    };
  }

  private static String ioMessage(IOException e) {
    String kind = e.getClass().getSimpleName().replaceFirst("(File)?Exception$", "");
    return kind.isEmpty() || kind.equals("IO")
        ? String.valueOf(e.getMessage())
        : kind.replaceAll("(?<=[a-z])(?=[A-Z])", " ").toLowerCase(Locale.ROOT)
            + ": "
            + e.getMessage();
  }

  private static String oneLine(@Nullable String text) {
    return VisibleText.line(String.valueOf(text).strip().replaceAll("\\s*\\R\\s*", " "));
  }
}
