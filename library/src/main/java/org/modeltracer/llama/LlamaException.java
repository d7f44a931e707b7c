package org.modeltracer.llama;

import java.util.function.Function;

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

  /** Stands for a setting in a message that is not finished. */
  private static final String PLACE = "{}";

  private final Kind kind;
  private final String template;
  private final Setting[] settings;

  /** An error of the given kind. */
  public LlamaException(Kind kind, String message) {
    this(kind, message, new Setting[0]);
  }

  private LlamaException(Kind kind, String template, Setting[] settings) {
    super(filled(template, settings, Setting::words));
    this.kind = kind;
    this.template = template;
    this.settings = settings;
  }

  /** An error that names settings: the message has {@code {}} in the place of each. */
  public static LlamaException naming(Kind kind, String message, Setting... settings) {
    return new LlamaException(kind, message, settings.clone());
  }

  /** An error of the given kind with its cause. */
  public LlamaException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
    template = message;
    settings = new Setting[0];
  }

  /** What was being attempted. */
  public Kind kind() {
    return kind;
  }

  /** The message, with settings by the names that a program's users know them by. */
  public String message(Function<Setting, String> names) {
    return filled(template, settings, names);
  }

  private static String filled(
      String template, Setting[] settings, Function<Setting, String> names) {
    var text = new StringBuilder(template);
    int at = 0;
    for (Setting setting : settings) {
      at = text.indexOf(PLACE, at);
      if (at < 0) {
        break;
      }
      String name = names.apply(setting);
      text.replace(at, at + PLACE.length(), name);
      at += name.length();
    }
    return text.toString();
  }
}
