package org.modeltracer.jinja;

/** Says in one line what is wrong with a template, and where. */
public final class TemplateSyntaxException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int line;

  TemplateSyntaxException(int line, String message) {
    super("line " + line + ": " + message);
    this.line = line;
  }

  /** Line of the template, from 1. */
  public int line() {
    return line;
  }
}
