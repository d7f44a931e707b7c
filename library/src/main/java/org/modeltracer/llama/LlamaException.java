package org.modeltracer.llama;

/** Something llama.cpp refused or could not do; the message is one line, llama.cpp's own if any. */
public final class LlamaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What was being attempted. */
  public enum Kind {
    /** Finding or loading the library, or recognising its layout. */
    LIBRARY,
    /** Loading a model file. */
    MODEL,
    /** Creating a context for a loaded model. */
    CONTEXT,
    /** Running a forward pass. */
    DECODE,
    /** A forward pass ended early because cancelling was asked for. */
    CANCELLED,
    /** A caller's mistake: an argument llama.cpp would abort the process for. */
    ARGUMENT
  }

  private final Kind kind;

  /** An error of the given kind. */
  public LlamaException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  /** An error of the given kind with its cause. */
  public LlamaException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  /** What was being attempted. */
  public Kind kind() {
    return kind;
  }
}
