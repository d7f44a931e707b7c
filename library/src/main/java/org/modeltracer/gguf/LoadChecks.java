package org.modeltracer.gguf;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * The facts of a sound file whose absence makes llama.cpp end the process or misread the model.
 *
 * <p>A file without problems may still be refused by llama.cpp, but with an error code.
 */
public final class LoadChecks {
  /**
   * A fact that is missing or wrong.
   *
   * @param key metadata key or tensor name
   * @param message one line that names the key, what was found, and the byte when known
   * @param offset byte of the file where the key's value lies, or {@link GgufException#NOWHERE}
   */
  public record Problem(String key, String message, long offset) {}

  private final GgufFile file;
  private final String architecture;
  private final List<Problem> problems = new ArrayList<>();

  private LoadChecks(GgufFile file, String architecture) {
    this.file = file;
    this.architecture = architecture;
  }

  /**
   * All problems of a file, in the order llama.cpp would meet them; empty when it may be handed to
   * llama.cpp.
   */
  public static List<Problem> problems(GgufFile file) {
    List<Problem> problems = new ArrayList<>();
    if (file.kind() != GgufKind.MODEL) {
      String name = GgufException.sentence("%s is ", file.shards().getFirst().name());
      String message = name + file.kind().sentence(file);
      problems.add(new Problem("general.type", message, GgufException.NOWHERE));
    }
    problems.addAll(faults(file));
    return List.copyOf(problems);
  }

  /** What is wrong with a file for what it is: a file that is no model need not be loaded. */
  public static List<Problem> faults(GgufFile file) {
    var checks = new LoadChecks(file, file.architecture().orElse(""));
    if (file.kind() == GgufKind.VOCABULARY) {
      VocabularyChecks.run(checks);
    } else if (file.kind() != GgufKind.MODEL) {
      return List.of();
    } else if (checks.architecture.isEmpty()) {
      checks.report("general.architecture", "names no architecture");
    } else {
      BlockChecks.run(checks);
      AttentionChecks.run(checks);
      RotationChecks.run(checks);
      StateChecks.run(checks);
      ExpertChecks.run(checks);
      RangeChecks.run(checks);
      NormChecks.run(checks);
      DataChecks.run(checks);
      VocabularyChecks.run(checks);
    }
    return List.copyOf(checks.problems);
  }

  /**
   * Reads the header of a file that may be handed to llama.cpp.
   *
   * @throws GgufException when it is malformed, or with the first problem
   */
  public static GgufFile read(Path path) {
    GgufFile file = GgufFile.read(path);
    require(file);
    return file;
  }

  /**
   * Returns when the file may be handed to llama.cpp.
   *
   * @throws GgufException with the first problem
   */
  public static void require(GgufFile file) {
    for (Problem problem : problems(file)) {
      throw GgufException.of(problem);
    }
  }

  GgufFile file() {
    return file;
  }

  Metadata metadata() {
    return file.metadata();
  }

  String architecture() {
    return architecture;
  }

  /** The full name of an architecture's key, such as {@code llama.block_count}. */
  String key(String name) {
    return architecture + "." + name;
  }

  OptionalLong integer(String name) {
    return metadata().integer(key(name));
  }

  /** Reports a whole number that is absent or outside 1 … most; empty when it did. */
  OptionalLong required(String name, long most) {
    OptionalLong value = integer(name);
    if (value.isEmpty() || value.getAsLong() < 1 || value.getAsLong() > most) {
      report(key(name), "must be 1 to %d", most);
      return OptionalLong.empty();
    }
    return value;
  }

  /** Adds a problem of a key: the key, what was found, then the sentence. */
  void report(String key, String format, Object... args) {
    String found = metadata().get(key).map(Value::toString).orElse("");
    long offset = metadata().offset(key).orElse(GgufException.NOWHERE);
    String subject =
        offset < 0
            ? GgufException.sentence("%s is missing: it ", key)
            : GgufException.sentence("%s is %s: it ", key, found);
    problem(key, subject + GgufException.sentence(format, args), offset);
  }

  /** Adds a problem of a key in words that name the key themselves. */
  void say(String key, String format, Object... args) {
    long offset = metadata().offset(key).orElse(GgufException.NOWHERE);
    problem(key, GgufException.sentence(format, args), offset);
  }

  /** Adds a problem of a tensor. */
  void reportTensor(String name, String format, Object... args) {
    problem(name, name + " " + GgufException.sentence(format, args), GgufException.NOWHERE);
  }

  private void problem(String key, String sentence, long offset) {
    problems.add(
        new Problem(key, offset < 0 ? sentence : sentence + " (byte " + offset + ")", offset));
  }
}
