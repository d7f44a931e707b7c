package org.modeltracer.gate.checks;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.jinja.ChatTemplate;
import org.modeltracer.jinja.Marks;
import org.modeltracer.jinja.TemplateSyntaxException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.tokens.TokenType;
import org.modeltracer.tokens.UnsupportedTokenizer;

/**
 * Whether the chat template and the vocabulary belong together: the control strings that it writes
 * are tokens, llama.cpp stops where it ends a turn, and a chat begins with one BOS.
 */
final class TokenizerTemplate extends Check {
  TokenizerTemplate() {
    super(
        "tokenizer.template",
        Needs.MODEL,
        "the chat template's control strings are tokens of the vocabulary, llama.cpp stops at the"
            + " end of its turns, and it gives a chat one BOS");
  }

  @Override
  CheckResult run(Subject subject) {
    LlamaModel model = subject.model();
    Vocabulary llama = model.vocabulary();
    if (!llama.usable()) {
      throw new NotApplicable("the model has no vocabulary");
    }
    String template =
        model.chatTemplate().orElseThrow(() -> new NotApplicable("the file has no chat template"));
    Marks marks;
    try {
      marks = ChatTemplate.parse(template).marks();
    } catch (TemplateSyntaxException e) {
      throw new NotApplicable("the chat template is not well-formed; see file.metadata");
    }
    var check = new CheckResultBuilder(this, subject);
    var vocabulary = new Tokens(llama, types(subject));
    check.signal("marks", List.copyOf(marks.written())).signal("ends", List.copyOf(marks.ends()));
    boolean stops = ends(check, vocabulary, marks.ends());
    tokens(check, vocabulary, marks, stops);
    begins(check, vocabulary, marks.begins());
    return check.result(
        marks.written().isEmpty()
            ? "the template writes no control strings"
            : "%d control strings are tokens%s"
                .formatted(
                    marks.written().size(),
                    marks.ends().isEmpty() ? "" : "; llama.cpp stops at the end of a turn"));
  }

  private static @Nullable GgufVocabulary types(Subject subject) {
    try {
      return GgufVocabulary.of(subject.file());
    } catch (UnsupportedTokenizer e) {
      return null;
    }
  }

  /** Whether one of the ends of a turn, if any is known, is one to llama.cpp. */
  private static boolean ends(CheckResultBuilder check, Tokens tokens, Set<String> ends) {
    if (ends.isEmpty()) {
      return true;
    }
    var missed = new LinkedHashSet<String>();
    for (String end : ends) {
      if (tokens.stopsAt(end)) {
        return true;
      }
      missed.add(end.equals(Marks.EOS) ? "eos_token" : end);
    }
    check.judge(
        Evidence.of(
            "end_of_turn",
            Severity.WARNING,
            "the template ends a turn with %s, at which llama.cpp does not stop"
                .formatted(String.join(" or ", missed))));
    return false;
  }

  private static void tokens(CheckResultBuilder check, Tokens tokens, Marks marks, boolean stops) {
    for (String mark : marks.written()) {
      int pieces = tokens.pieces(mark);
      if (pieces == 1) {
        continue;
      }
      int entry = tokens.entry(mark);
      if (entry >= 0) {
        check.judge(
            Evidence.of(
                "mark_type",
                Severity.CRITICAL,
                "%s of the chat template is not a special token (type %s): it is read as %d tokens"
                    .formatted(mark, tokens.type(entry), pieces)));
      } else {
        // Some models were taught such words as plain text; theirs is the only kind of mark then.
        boolean words = stops && !tokens.marked();
        check.judge(
            Evidence.of(
                "mark_missing",
                words || marks.aside().contains(mark) ? Severity.INFO : Severity.WARNING,
                "%s of the chat template is not a token of the vocabulary: it is read as %d tokens"
                    .formatted(mark, pieces)));
      }
    }
  }

  /** llama.cpp's programs take one BOS off a template's text where the tokenizer adds one. */
  private static void begins(CheckResultBuilder check, Tokens tokens, List<String> begins) {
    long own = begins.stream().takeWhile(tokens::isBos).count();
    check.signal("bos_of_the_template", own);
    if (own == 0 || !tokens.addsBos()) {
      if (own > 1) {
        check.judge(
            Evidence.of(
                "double_bos",
                Severity.WARNING,
                "the template begins a chat with %d BOS tokens".formatted(own)));
      }
      return;
    }
    check.judge(
        own > 1
            ? Evidence.of(
                "double_bos",
                Severity.WARNING,
                "a chat gets %d BOS tokens: the template begins with %d and the tokenizer adds one,"
                        .formatted(own, own)
                    + " of which llama.cpp's programs take one off")
            : Evidence.of(
                "double_bos",
                Severity.INFO,
                "the template writes BOS and the tokenizer adds it: llama.cpp's programs leave one"
                    + " out, others may send two"));
  }

  /** What llama.cpp makes of control strings, and the file's types. */
  private record Tokens(Vocabulary llama, @Nullable GgufVocabulary own) {
    boolean addsBos() {
      return llama.addsBos();
    }

    boolean isBos(String mark) {
      return llama.bos() >= 0 && (mark.equals(Marks.BOS) || mark.equals(llama.entry(llama.bos())));
    }

    /** How many tokens llama.cpp reads a control string as. */
    int pieces(String mark) {
      return llama.tokenize(mark, false, true).length;
    }

    boolean stopsAt(String end) {
      if (end.equals(Marks.EOS)) {
        return llama.eos() >= 0 && llama.endsGeneration(llama.eos());
      }
      int[] ids = llama.tokenize(end, false, true);
      return ids.length == 1 && llama.endsGeneration(ids[0]);
    }

    /** The token of exactly that text, -1 for none. */
    int entry(String mark) {
      return IntStream.range(0, llama.size())
          .filter(token -> llama.entry(token).equals(mark))
          .findFirst()
          .orElse(-1);
    }

    String type(int token) {
      return own == null ? "unknown" : typeName(own.type(token));
    }

    /** Whether there are special tokens beside those that begin, end and pad texts. */
    boolean marked() {
      return own != null
          && IntStream.range(0, own.size())
              .filter(
                  token ->
                      own.type(token) == TokenType.CONTROL
                          || own.type(token) == TokenType.USER_DEFINED)
              .filter(token -> own.text(token).matches("<[|｜].*|.*[|｜]>|</?(start|end)_of_.*"))
              .anyMatch(token -> token != llama.bos() && !llama.endsGeneration(token));
    }
  }

  /** As in {@code type 1, normal}: the number is the file's. */
  private static String typeName(TokenType type) {
    return type.ordinal() + ", " + type.name().toLowerCase(Locale.ROOT);
  }
}
