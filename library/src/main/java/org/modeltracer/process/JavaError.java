package org.modeltracer.process;

import java.util.Objects;

/** Errors of the Java virtual machine in words: what ran out, and where more of it comes from. */
public final class JavaError {
  private JavaError() {}

  /** One line about an error. */
  public static String words(Throwable error) {
    String said = Objects.requireNonNullElse(error.getMessage(), "");
    return switch (error) {
      case OutOfMemoryError e when said.contains("thread") ->
          "cannot create a thread: too many processes or too little memory (ulimit -u, -v)";
      case OutOfMemoryError e ->
          "out of memory%s: give Java more (MODELTRACER_JAVA_OPTS=-Xmx8g), or the process"
                  .formatted(said.isEmpty() ? "" : " (" + said + ")")
              + " (ulimit -v)";
      case StackOverflowError e -> "out of stack: something is nested too deeply";
      case InternalError e when said.contains("memory access") ->
          "a file was cut short, or its disk failed, while it was read";
      case LinkageError e ->
          "a part of this program cannot be loaded (%s): too few open files (ulimit -n), or a"
                  .formatted(told(error))
              + " broken installation";
      default -> "Java failed: " + told(error);
    };
  }

  private static String told(Throwable error) {
    Throwable cause = error;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause.getMessage() == null
        ? cause.getClass().getSimpleName()
        : cause.getClass().getSimpleName() + ": " + cause.getMessage();
  }
}
