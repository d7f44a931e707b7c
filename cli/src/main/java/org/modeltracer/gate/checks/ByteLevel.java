package org.modeltracer.gate.checks;

import java.util.function.BiFunction;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.tokens.BpeEncoding;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.tokens.UnsupportedTokenizer;

/** What the checks of tokenizers share: they ask only byte-level BPE. */
final class ByteLevel {
  private ByteLevel() {}

  /** Runs a check on a file's vocabulary; skips it, with the reason, where there is none such. */
  static CheckResult ask(
      String id, GgufFile file, BiFunction<GgufVocabulary, BpeEncoding, CheckResult> check) {
    return DeepStack.call(
        () -> {
          GgufVocabulary vocabulary;
          BpeEncoding encoding;
          try {
            vocabulary = GgufVocabulary.of(file);
            encoding = BpeEncoding.of(vocabulary);
          } catch (UnsupportedTokenizer e) {
            return CheckResult.of(id, Verdict.SKIPPED, String.valueOf(e.getMessage()));
          }
          return check.apply(vocabulary, encoding);
        });
  }

  /** A text as it may be shown in one line: control characters escaped, no longer than 40. */
  static String quote(String text) {
    var shown = new StringBuilder("\"");
    text.codePoints()
        .limit(40)
        .forEach(
            c -> {
              if (c == '\n') {
                shown.append("\\n");
              } else if (c == '"' || c == '\\') {
                shown.append('\\').appendCodePoint(c);
              } else if (Character.isISOControl(c)
                  || Character.getType(c) == Character.FORMAT
                  || Character.getType(c) == Character.SURROGATE) {
                shown.append("\\u%04x".formatted(c));
              } else {
                shown.appendCodePoint(c);
              }
            });
    return shown.append(text.codePointCount(0, text.length()) > 40 ? "…\"" : "\"").toString();
  }
}
