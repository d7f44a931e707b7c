package org.modeltracer.gate.checks;

import static org.modeltracer.anomaly.Severity.CRITICAL;
import static org.modeltracer.anomaly.Severity.INFO;
import static org.modeltracer.anomaly.Severity.WARNING;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.tokens.BpeEncoding;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.tokens.MergeOrder;
import org.modeltracer.tokens.PreTokenizerEvidence;
import org.modeltracer.tokens.TextEncoding;
import org.modeltracer.tokens.UnsupportedTokenizer;

/**
 * Whether text becomes the tokens that the model was trained on.
 *
 * <p>Two questions. Does llama.cpp make the same tokens as an independent encoder built from the
 * file's own vocabulary and merges? And do vocabulary, merges and pre-tokenizer belong together?
 * The second is asked of the vocabulary alone, since both encoders believe the file: merges out of
 * the order in which they were learnt, tokens that nothing can become, frequent tokens that the
 * pre-tokenizer splits.
 */
final class TokenizerParity extends Check {
  private static final int SHOWN = 5;

  TokenizerParity() {
    super(
        "tokenizer.parity",
        Needs.MODEL,
        "tricky texts become the same tokens in llama.cpp and in an encoder of the file's own"
            + " merges; vocabulary, merges and pre-tokenizer belong together");
  }

  @Override
  CheckResult run(Subject subject) {
    return DeepStack.call(
        () -> {
          TextEncoding encoding;
          try {
            encoding = TextEncoding.of(GgufVocabulary.of(subject.file()));
          } catch (UnsupportedTokenizer e) {
            return CheckResult.of(id(), Verdict.SKIPPED, String.valueOf(e.getMessage()));
          }
          return new Run(subject, encoding).result();
        });
  }

  /** One run of the check. */
  private final class Run {
    private final Subject subject;
    private final GgufVocabulary vocabulary;
    private final TextEncoding encoding;
    private final CheckResultBuilder check;

    Run(Subject subject, TextEncoding encoding) {
      this.subject = subject;
      this.vocabulary = encoding.vocabulary();
      this.encoding = encoding;
      check = new CheckResultBuilder(TokenizerParity.this, subject);
    }

    CheckResult result() {
      String rules = "vocabulary and merges fit the pre-tokenizer";
      if (encoding instanceof BpeEncoding bpe) {
        merges(bpe);
        unreached("tokenizer.parity.unreached", "are made by no merge", "merges are lost");
        preTokenizer();
      } else {
        boolean unigram = vocabulary.model().equals("t5");
        if (vocabulary.model().equals("llama") && bytesMissing()) {
          return check.result("");
        }
        unreached(
            unigram ? "tokenizer.parity.unreached_unigram" : "tokenizer.parity.unreached",
            "do not come out of their own text",
            "scores, tokens or normalization are wrong");
        rules = "tokens come out of their own text";
      }
      return check.result(compare() + "; " + rules);
    }

    /** llama.cpp ends the process over a byte without a token, so it is not asked. */
    private boolean bytesMissing() {
      Set<String> texts =
          IntStream.range(0, vocabulary.size())
              .mapToObj(vocabulary::text)
              .collect(Collectors.toSet());
      int missing =
          (int)
              IntStream.range(0, 256)
                  .filter(b -> !texts.contains("<0x%02X>".formatted(b)))
                  .filter(b -> b >= 0x80 || !texts.contains(Character.toString(b)))
                  .count();
      if (missing > 0) {
        check.judge(
            Evidence.of(
                "bytes_missing",
                CRITICAL,
                "%d of 256 bytes have no token <0x00> … <0xFF>, so llama.cpp ends the process over"
                        .formatted(missing)
                    + " text it does not know; no text was compared"));
      }
      return missing > 0;
    }

    private String compare() {
      List<String> texts = TrickyTexts.of(vocabulary, subject.policy().workload().seed());
      Vocabulary llama = subject.model().vocabulary();
      int differing = 0;
      int elsewhere = 0;
      for (String text : texts) {
        for (boolean special : new boolean[] {false, true}) {
          int[] ours = encoding.encode(text, special, special);
          int[] theirs = llama.tokenize(text, special, special);
          int at = Arrays.mismatch(ours, theirs);
          if (at >= 0 && !(encoding instanceof BpeEncoding) && !plain(text)) {
            if (++elsewhere <= SHOWN) {
              check.judge(
                  Evidence.of(
                      "llama_differs",
                      INFO,
                      "%s: llama.cpp differs from the reference, not the file: it makes %s of token %d, not %s"
                          .formatted(ByteLevel.quote(text), name(theirs, at), at, name(ours, at))));
            }
          } else if (at >= 0 && ++differing <= SHOWN) {
            check.judge(
                Evidence.of(
                    "tokenizer_mismatch",
                    CRITICAL,
                    "%s becomes %d tokens in llama.cpp, %d by the file's own vocabulary; token %d is %s, not %s"
                        .formatted(
                            ByteLevel.quote(text),
                            theirs.length,
                            ours.length,
                            at,
                            name(theirs, at),
                            name(ours, at))));
          }
        }
      }
      check.signal("texts", texts.size());
      check.signal("differing", differing);
      check.signal("differing_in_llama", elsewhere);
      return elsewhere == 0
          ? texts.size() + " texts become the same tokens"
          : "%d of %d texts become the same tokens (in the others llama.cpp differs from the reference)"
              .formatted(texts.size() - elsewhere, texts.size());
    }

    /**
     * Printable ASCII and white space with words of at most 100: where no two tokenizers differ.
     */
    private static boolean plain(String text) {
      return !text.isBlank()
          && text.chars().allMatch(c -> (c >= ' ' && c < 0x7f) || c == '\n' || c == '\t')
          && Arrays.stream(text.split("\\s+")).allMatch(word -> word.length() <= 100);
    }

    private String name(int[] ids, int at) {
      return at < ids.length && ids[at] < vocabulary.size()
          ? ids[at] + " " + ByteLevel.quote(vocabulary.text(ids[at]))
          : "none";
    }

    private void merges(BpeEncoding bpe) {
      MergeOrder order = MergeOrder.of(vocabulary);
      int moved = order.outOfPlace().size();
      double share = share(moved, order.merges());
      check.signal("merges", order.merges());
      check.signal("merges_out_of_order", moved);
      if (share > subject.policy().limit("tokenizer.parity.unordered")) {
        check.judge(
            Evidence.of(
                "merge_order",
                CRITICAL,
                "%d of %d merges are out of the order in which their tokens are numbered: %s"
                    .formatted(
                        moved,
                        order.merges(),
                        String.join(
                            ", ",
                            order.outOfPlace().stream()
                                .limit(SHOWN)
                                .map(ByteLevel::quote)
                                .toList()))));
      }
      int dead = bpe.deadTokens();
      check.signal("dead_merges", bpe.deadMerges());
      check.signal("dead_tokens", dead);
      if (share(dead, order.merges()) > subject.policy().limit("tokenizer.parity.dead_tokens")) {
        check.judge(
            Evidence.of(
                "dead_tokens",
                CRITICAL,
                "%d tokens have merges, none of which can ever apply: the merges are out of order or"
                        .formatted(dead)
                    + " incomplete"));
      }
    }

    /**
     * Both encoders believe the file: lost merges or scores show in tokens that nothing becomes.
     */
    private void unreached(String limit, String fault, String cause) {
      int[] unreached = encoding.unreached();
      int learnt = encoding.learntTokens();
      check.signal("learnt_tokens", learnt);
      check.signal("unreached_tokens", unreached.length);
      if (share(unreached.length, learnt) > subject.policy().limit(limit)) {
        check.judge(
            Evidence.of(
                "unreached_tokens",
                CRITICAL,
                "%d of %d tokens of the vocabulary %s, such as %s: %s"
                    .formatted(
                        unreached.length,
                        learnt,
                        fault,
                        ByteLevel.quote(vocabulary.text(unreached[0])),
                        cause)));
      }
    }

    private void preTokenizer() {
      PreTokenizerEvidence words = PreTokenizerEvidence.of(vocabulary);
      check.signal("pre_tokenizer", vocabulary.pre().orElse(null));
      check.signal("frequent_tokens", words.tokens());
      check.signal("frequent_tokens_split", words.split().size());
      check.signal("fitting_pre_tokenizers", words.fitting().size());
      String fitting =
          words.fitting().isEmpty()
              ? "no known one splits none of them"
              : "one of these would fit: " + String.join(", ", words.fitting());
      if (vocabulary.pre().isEmpty()) {
        check.judge(
            Evidence.of(
                "pre_tokenizer_missing",
                CRITICAL,
                "tokenizer.ggml.pre is missing, so llama.cpp splits text by default rules that no"
                    + " model was trained with"));
      } else if (words.declared().equals("default")) {
        check.judge(
            Evidence.of(
                "pre_tokenizer_missing",
                WARNING,
                "tokenizer.ggml.pre is \"default\": rules that no model is known to be trained"
                    + " with"));
      } else {
        confirmation(words);
      }
      if (share(words.split().size(), words.tokens())
          > subject.policy().limit("tokenizer.parity.split_tokens")) {
        check.judge(
            Evidence.of(
                "pre_tokenizer_wrong",
                CRITICAL,
                "pre-tokenizer \"%s\" splits %d of the %d most frequent tokens, such as %s; %s"
                    .formatted(
                        words.declared(),
                        words.split().size(),
                        words.tokens(),
                        ByteLevel.quote(words.split().getFirst()),
                        fitting)));
      }
    }

    /**
     * Rules that join more than GPT-2's leave tokens that need them; rules that split more are
     * believed where there are merges enough for their tokens to be missed.
     */
    private void confirmation(PreTokenizerEvidence words) {
      check.signal(
          "tokens_that_need_the_pre_tokenizer", words.joinsMore() ? words.confirming() : null);
      if (words.joinsMore()
          && words.confirming() < subject.policy().limit("tokenizer.parity.confirming_tokens")) {
        unconfirmed(
            "pre-tokenizer \"%s\" joins what GPT-2's splits, yet only %d merged tokens need it:"
                    .formatted(words.declared(), words.confirming())
                + " the vocabulary was hardly trained with it");
      } else if (words.splitsMore()
          && words.merged() < subject.policy().limit("tokenizer.parity.confirming_merges")) {
        unconfirmed(
            "pre-tokenizer \"%s\" splits what GPT-2's keeps, and %d merged tokens are too few to tell"
                    .formatted(words.declared(), words.merged())
                + " that the vocabulary was trained with it");
      }
    }

    private void unconfirmed(String message) {
      check.judge(Evidence.of("pre_tokenizer_unconfirmed", WARNING, message));
    }

    private static double share(int part, int whole) {
      return whole == 0 ? 0 : (double) part / whole;
    }
  }
}
