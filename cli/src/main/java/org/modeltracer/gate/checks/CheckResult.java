package org.modeltracer.gate.checks;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.CutText;
import org.modeltracer.process.LastWords;

/**
 * What one check says of a file. Its components are its JSON fields.
 *
 * @param id the check
 * @param verdict its judgement
 * @param signals numbers and names without judgement, ready to be written as JSON
 * @param message one sentence: why it failed, was skipped or ended in an error; what was checked
 *     when it passed
 * @param evidence what was found, the worst first; a check that passed may have some too
 */
public record CheckResult(
    String id,
    Verdict verdict,
    Map<String, @Nullable Object> signals,
    String message,
    List<Evidence> evidence) {
  /** Characters of a message. */
  static final int LONGEST_MESSAGE = 600;

  /** Copies the collections, and cuts what may be a file's own words. */
  public CheckResult {
    var told = new LinkedHashMap<String, @Nullable Object>(signals);
    told.replaceAll((name, value) -> value instanceof String text ? CutText.of(text) : value);
    signals = Collections.unmodifiableMap(told);
    message = CutText.of(message);
    evidence = List.copyOf(evidence);
  }

  /** The same with other evidence. */
  public CheckResult with(List<Evidence> other) {
    return new CheckResult(id, verdict, signals, message, other);
  }

  /** Whether the file is not sound GGUF, or nobody knows; nothing else can be asked of it then. */
  public boolean unsound() {
    return id.equals(FileStructure.ID) && (verdict == Verdict.FAIL || verdict == Verdict.ERROR);
  }

  /** Whether the file cannot be read or loaded at all. */
  public boolean unreadable() {
    return verdict == Verdict.FAIL && (id.equals(FileStructure.ID) || id.equals(FileLoads.ID));
  }

  /** A result without signals or evidence; its message may be what native code says. */
  public static CheckResult of(String id, Verdict verdict, String message) {
    return new CheckResult(
        id, verdict, Map.of(), LastWords.oneLine(message, LONGEST_MESSAGE), List.of());
  }
}
