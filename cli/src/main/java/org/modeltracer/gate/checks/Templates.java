package org.modeltracer.gate.checks;

import static org.modeltracer.anomaly.Severity.CRITICAL;
import static org.modeltracer.anomaly.Severity.INFO;
import static org.modeltracer.anomaly.Severity.WARNING;

import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.Metadata;
import org.modeltracer.gguf.Value;
import org.modeltracer.jinja.ChatTemplate;
import org.modeltracer.jinja.TemplateSyntaxException;

/**
 * Whether a chat template is there and well-formed.
 *
 * <p>A base model has none, and nothing is wrong with that. One is missed only where the file
 * itself says that the model follows instructions.
 */
final class Templates {
  private static final String KEY = "tokenizer.chat_template";

  /** Where a file says what the model was tuned for. */
  private static final List<String> CLAIMS =
      List.of("general.name", "general.finetune", "general.basename", "general.tags");

  private static final Pattern INSTRUCT =
      Pattern.compile(
          "(?i)(?<![a-z])(instruct|instruction|chat|it|assistant|conversational)(?![a-z])");

  /** What a template reads its messages from. */
  private static final Set<String> MESSAGES = Set.of("messages", "message");

  private Templates() {}

  static void look(FileMetadata.Problems problems) {
    Metadata metadata = problems.metadata();
    var templates = new TreeMap<String, Value.Text>();
    for (String key : metadata.keys()) {
      if (key.equals(KEY) || key.startsWith(KEY + ".")) {
        if (metadata.get(key).orElseThrow() instanceof Value.Text text) {
          templates.put(key, text);
        } else {
          problems.add("chat_template", CRITICAL, key, "not a text");
        }
      }
    }
    String claim = claim(metadata);
    problems.signal("instruct", claim != null);
    problems.signal("chat_templates", templates.size());
    if (templates.isEmpty() && claim != null) {
      problems.say(
          "chat_template_missing",
          WARNING,
          KEY,
          "no chat template, though %s says that the model follows instructions".formatted(claim));
    }
    templates.forEach((key, text) -> template(problems, key, text));
  }

  private static @Nullable String claim(Metadata metadata) {
    for (String key : CLAIMS) {
      String said =
          metadata
              .string(key)
              .or(() -> metadata.strings(key).map(tags -> String.join(" ", tags)))
              .orElse("");
      if (INSTRUCT.matcher(said).find()) {
        return key + " (" + ByteLevel.quote(said) + ")";
      }
    }
    return null;
  }

  private static void template(FileMetadata.Problems problems, String key, Value.Text template) {
    String text = template.value();
    if (text.isBlank()) {
      problems.say("chat_template", WARNING, key, key + " is empty");
    } else if (template.bytes() > Value.Text.LONGEST) {
      problems.say(
          "chat_template",
          WARNING,
          key,
          "%s has %,d bytes, which is not a template".formatted(key, template.bytes()));
    } else {
      try {
        ChatTemplate parsed = ChatTemplate.parse(text);
        if (!parsed.unknown().isEmpty()) {
          problems.say(
              "chat_template",
              INFO,
              key,
              "%s uses %s, which Jinja does not have, under conditions"
                  .formatted(key, parsed.unknown()));
        }
        if (MESSAGES.stream().noneMatch(parsed.names()::contains)) {
          problems.say(
              "chat_template", WARNING, key, key + " never reads messages: every chat is the same");
        }
      } catch (TemplateSyntaxException e) {
        problems.say(
            "chat_template_syntax",
            CRITICAL,
            key,
            "%s is not well-formed: %s".formatted(key, e.getMessage()));
      }
    }
  }
}
