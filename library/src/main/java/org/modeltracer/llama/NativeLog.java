package org.modeltracer.llama;

import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.modeltracer.llama.ffi.LlamaFunctions;
import org.modeltracer.llama.ffi.NativeMemory;
import org.modeltracer.llama.ffi.Upcalls;
import org.modeltracer.model.CutText;

/**
 * What llama.cpp has to say: kept for error messages, passed on to System.Logger.
 *
 * <p>One log serves a library for the life of the process, as llama.cpp has one log callback. It is
 * called from any thread, in fragments of lines.
 */
final class NativeLog {
  private static final System.Logger LOGGER = System.getLogger("org.modeltracer.llama");
  private static final int KEPT = 64;
  private static final int KEPT_WARNINGS = 1024;
  private static final int WARN = 3;
  private static final int ERROR = 4;
  private static final int CONTINUED = 5;

  private final StringBuilder line = new StringBuilder();
  private final Deque<String> errors = new ArrayDeque<>();
  private final Set<String> warnings = new LinkedHashSet<>();
  private volatile Consumer<String> listener = said -> {};
  private int level;

  /** Installs itself as the library's log. */
  NativeLog(LlamaFunctions llama) {
    llama.logTo(Upcalls.log(this::receive, Arena.global()));
  }

  private void receive(int newLevel, long text, long userData) {
    try {
      append(newLevel, NativeMemory.text(text));
    } catch (Throwable ignored) {
      // An exception must never reach native code; a lost log line is the lesser harm.
    }
  }

  private synchronized void append(int newLevel, String text) {
    if (newLevel != CONTINUED) {
      level = newLevel;
    }
    line.append(text);
    int end;
    while ((end = line.indexOf("\n")) >= 0) {
      String complete = line.substring(0, end).strip();
      line.delete(0, end + 1);
      if (!complete.isEmpty()) {
        finish(CutText.of(complete));
      }
    }
  }

  private void finish(String complete) {
    if (level == ERROR) {
      if (errors.size() == KEPT) {
        errors.removeFirst();
      }
      errors.addLast(complete);
    }
    if (level == WARN && warnings.size() < KEPT_WARNINGS) {
      warnings.add(complete);
    }
    listener.accept(complete);
    Level to = level == ERROR || level == WARN ? Level.DEBUG : Level.TRACE;
    LOGGER.log(to, complete);
  }

  /** Forgets what was said so far, so that the next error is the next call's. */
  synchronized void clear() {
    errors.clear();
    warnings.clear();
  }

  /** Sets who hears every line from now on, on whatever thread it is said. */
  void listen(Consumer<String> hears) {
    listener = hears;
  }

  /** Warnings since {@link #clear}, as {@link #errors} has them, each once. */
  synchronized List<NativeWarning> warnings() {
    return NativeWarning.of(warnings.stream().map(NativeLog::withoutFunction).toList());
  }

  private static String withoutFunction(String line) {
    return line.replaceFirst("^([A-Za-z_0-9:~]+: (error: |error loading model: )?){1,2}", "");
  }

  /** Error lines since {@link #clear}, without the function names llama.cpp puts before them. */
  synchronized List<String> errors() {
    return errors.stream().map(NativeLog::withoutFunction).toList();
  }

  /** The first error since {@link #clear}, or the given words when llama.cpp said none. */
  synchronized String firstError(String otherwise) {
    List<String> lines = errors();
    return lines.isEmpty() ? otherwise : lines.getFirst();
  }
}
