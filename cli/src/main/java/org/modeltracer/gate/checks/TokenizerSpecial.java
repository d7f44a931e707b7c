package org.modeltracer.gate.checks;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.tokens.TokenType;
import org.modeltracer.tokens.UnsupportedTokenizer;

/**
 * Whether the tokens at which llama.cpp stops, and the one with which it begins, are special.
 *
 * <p>Where a file names none that exists, llama.cpp takes a number that other models have.
 */
final class TokenizerSpecial extends Check {
  private static final int MOST_LISTED = 20;
  private static final Pattern CONTROL = Pattern.compile("<\\|[^|<>\\s]{1,64}\\|>");

  TokenizerSpecial() {
    super(
        "tokenizer.special",
        Needs.MODEL,
        "llama.cpp begins texts with, and stops at, special tokens and no ordinary text");
  }

  @Override
  CheckResult run(Subject subject) {
    Vocabulary llama = subject.model().vocabulary();
    if (!llama.usable()) {
      throw new NotApplicable("the model has no vocabulary");
    }
    GgufVocabulary own;
    try {
      own = GgufVocabulary.of(subject.file());
    } catch (UnsupportedTokenizer e) {
      throw new NotApplicable(String.valueOf(e.getMessage()));
    }
    var check = new CheckResultBuilder(this, subject);
    List<Integer> ends = ends(llama);
    check
        .signal("bos", llama.bos())
        .signal("adds_bos", llama.addsBos())
        .signal("ends", ends.subList(0, Math.min(MOST_LISTED, ends.size())));
    for (int token : ends) {
      if (SpecialTokenIds.ordinary(own, token)) {
        check.judge(
            Evidence.of(
                "ordinary_end",
                Severity.WARNING,
                "llama.cpp stops at token %d, %s, which is ordinary text%s"
                    .formatted(token, quoted(llama, token), why(subject.file(), "eos", token))));
      }
    }
    int bos = llama.bos();
    if (llama.addsBos() && bos >= 0 && SpecialTokenIds.ordinary(own, bos)) {
      check.judge(
          Evidence.of(
              "ordinary_begin",
              Severity.WARNING,
              "llama.cpp begins every text with token %d, %s, which is ordinary text%s"
                  .formatted(bos, quoted(llama, bos), why(subject.file(), "bos", bos))));
    }
    unparsed(check, llama, own);
    return check.result(
        ends.isEmpty()
            ? "no token ends a text"
            : "llama.cpp stops at %s".formatted(quoted(llama, ends.getFirst()))
                + (ends.size() == 1 ? "" : " and %d more".formatted(ends.size() - 1)));
  }

  /** Tokens that nobody writes as text, but that llama.cpp takes for text. */
  private static void unparsed(
      CheckResultBuilder check, Vocabulary llama, GgufVocabulary vocabulary) {
    int found = 0;
    for (int token = 0; token < Math.min(llama.size(), vocabulary.size()); token++) {
      String text = vocabulary.text(token);
      if (vocabulary.type(token) == TokenType.NORMAL && CONTROL.matcher(text).matches()) {
        int pieces = llama.tokenize(text, false, true).length;
        if (pieces > 1 && ++found <= MOST_LISTED) {
          check.judge(
              Evidence.of(
                  "mark_type",
                  Severity.WARNING,
                  "%s is not a special token (type 1, normal): llama.cpp reads it as %d tokens"
                      .formatted(text, pieces)));
        }
      }
    }
    check.signal("control_strings_typed_normal", found);
  }

  private static List<Integer> ends(Vocabulary llama) {
    var ends = new ArrayList<Integer>();
    for (int token = 0; token < llama.size(); token++) {
      if (llama.endsGeneration(token)) {
        ends.add(token);
      }
    }
    return ends;
  }

  private static String quoted(Vocabulary llama, int token) {
    return ByteLevel.quote(llama.entry(token));
  }

  /** The file's part in it: what its key says, where that is not this token. */
  private static String why(GgufFile file, String name, int token) {
    String key = "tokenizer.ggml." + name + "_token_id";
    if (file.metadata().get(key).isEmpty()) {
      return ": %s is missing".formatted(key);
    }
    OptionalLong id = file.metadata().integer(key);
    if (id.isPresent() && id.getAsLong() == token) {
      return ": %s names it".formatted(key);
    }
    return ": %s is %s"
        .formatted(key, id.isEmpty() ? "no number" : String.valueOf((int) id.getAsLong()));
  }
}
