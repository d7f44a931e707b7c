package org.modeltracer.gate.checks;

import static org.modeltracer.anomaly.Severity.CRITICAL;
import static org.modeltracer.anomaly.Severity.WARNING;

import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.GgufKind;
import org.modeltracer.gguf.Metadata;

/** Whether what the file says of itself makes sense: context, heads, special tokens, template. */
final class FileMetadata extends Check {
  private static final long LEAST_CONTEXT = 32;
  private static final long MOST_CONTEXT = 1 << 28;

  FileMetadata() {
    super(
        "file.metadata",
        Needs.FILE,
        "context, heads and special tokens make sense; a chat template is there where one is"
            + " needed, and is well-formed");
  }

  @Override
  CheckResult run(Subject subject) {
    GgufFile file;
    try {
      file = subject.file();
    } catch (GgufException e) {
      return CheckResult.of(
          id(), Verdict.SKIPPED, "the file is malformed; see " + FileStructure.ID);
    }
    if (file.kind() != GgufKind.MODEL && file.kind() != GgufKind.VOCABULARY) {
      return CheckResult.of(
          id(), Verdict.SKIPPED, file.kind() + " has no context, vocabulary or template");
    }
    var check = new CheckResultBuilder(this, subject);
    var problems = new Problems(file, check);
    check
        .signal("architecture", file.architecture().orElse(null))
        .signal("name", file.metadata().string("general.name").orElse(null));
    context(problems);
    heads(problems);
    SpecialTokenIds.look(problems);
    Templates.look(problems);
    SilentDefaults.look(problems);
    return check.result(
        file.metadata().size() + " keys; context, heads, special tokens and template make sense");
  }

  private static void context(Problems problems) {
    String key = problems.key("context_length");
    OptionalLong context = problems.metadata().integer(key);
    problems.signal("context_length", boxed(context));
    if (context.isPresent()
        && (context.getAsLong() < LEAST_CONTEXT || context.getAsLong() > MOST_CONTEXT)) {
      problems.add("context_length", WARNING, key, "a context that no model has");
    }
  }

  private static void heads(Problems problems) {
    OptionalLong heads = problems.number("attention.head_count");
    OptionalLong kvHeads = problems.number("attention.head_count_kv");
    OptionalLong width = problems.number("embedding_length");
    problems.signal("heads", boxed(heads));
    problems.signal("kv_heads", boxed(kvHeads));
    problems.signal("width", boxed(width));
    if (heads.isEmpty() || heads.getAsLong() == 0) {
      return;
    }
    if (kvHeads.isPresent()
        && kvHeads.getAsLong() > 0
        && heads.getAsLong() % kvHeads.getAsLong() != 0) {
      problems.add(
          "head_count",
          CRITICAL,
          problems.key("attention.head_count_kv"),
          "%d heads are not divisible by".formatted(heads.getAsLong()));
    }
    if (problems.number("attention.key_length").isEmpty()
        && width.isPresent()
        && width.getAsLong() % heads.getAsLong() != 0) {
      problems.add(
          "head_count",
          CRITICAL,
          problems.key("attention.head_count"),
          "a width of %d is not divisible by".formatted(width.getAsLong()));
    }
  }

  private static @Nullable Long boxed(OptionalLong value) {
    return value.isPresent() ? value.getAsLong() : null;
  }

  /** The file and what is wrong with it. */
  record Problems(GgufFile file, CheckResultBuilder check) {
    Metadata metadata() {
      return file.metadata();
    }

    /** Notes a number or a name without judgement. */
    void signal(String name, @Nullable Object value) {
      check.signal(name, value);
    }

    /** The full name of one of the architecture's keys. */
    String key(String name) {
      return file.architecture().orElse("") + "." + name;
    }

    OptionalLong number(String name) {
      return metadata().integer(key(name));
    }

    /** A problem with the value of a key: the sentence, then the key and its value. */
    void add(String rule, Severity severity, String key, String sentence) {
      String value = metadata().get(key).map(Object::toString).orElse("absent");
      say(rule, severity, key, "%s: %s = %s".formatted(sentence, key, shorten(value)));
    }

    /** A problem in words that name the key themselves. */
    void say(String rule, Severity severity, String key, String message) {
      check.judge(Evidence.ofByte(rule, severity, metadata().offset(key).orElse(-1), message));
    }

    private static String shorten(String value) {
      return value.length() <= 60 ? value : value.substring(0, 60) + "…";
    }
  }
}
