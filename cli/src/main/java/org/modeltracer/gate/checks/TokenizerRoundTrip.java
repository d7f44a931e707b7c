package org.modeltracer.gate.checks;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.tokens.TokenType;

/**
 * Whether a text survives becoming tokens and text again, as it must where every byte is a token.
 */
final class TokenizerRoundTrip extends Check {
  private static final int BYTES = 256;
  private static final int SHOWN = 5;

  TokenizerRoundTrip() {
    super(
        "tokenizer.round_trip",
        Needs.MODEL,
        "texts come back unchanged from llama.cpp's tokens and from those of the file's merges");
  }

  @Override
  CheckResult run(Subject subject) {
    return ByteLevel.ask(
        id(),
        subject.file(),
        (vocabulary, encoding) -> {
          int bytes = bytes(vocabulary);
          var check = new CheckResultBuilder(this, subject).signal("bytes_with_a_token", bytes);
          if (bytes < BYTES) {
            return check.skipped(
                "%d of 256 bytes have no token, so some texts cannot come back"
                    .formatted(BYTES - bytes));
          }
          Vocabulary llama = subject.model().vocabulary();
          List<String> texts = TrickyTexts.of(vocabulary, subject.policy().workload().seed());
          int lost = 0;
          for (String text : texts) {
            String sound =
                new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
            String theirs = llama.detokenize(llama.tokenize(text, false, false), true);
            String ours = encoding.decode(encoding.encode(text, false, false));
            String wrong = theirs.equals(sound) ? ours : theirs;
            if (!wrong.equals(sound) && ++lost <= SHOWN) {
              check.judge(
                  Evidence.of(
                      "round_trip",
                      Severity.CRITICAL,
                      "%s comes back as %s"
                          .formatted(ByteLevel.quote(sound), ByteLevel.quote(wrong))));
            }
          }
          check.signal("texts", texts.size());
          check.signal("changed", lost);
          return check.result(texts.size() + " texts come back unchanged");
        });
  }

  /** Number of bytes that are a token of their own. */
  private static int bytes(GgufVocabulary vocabulary) {
    return (int)
        IntStream.range(0, vocabulary.size())
            .filter(
                id -> vocabulary.type(id) == TokenType.NORMAL && vocabulary.text(id).length() == 1)
            .mapToObj(vocabulary::bytes)
            .filter(b -> b.length == 1)
            .map(b -> b[0])
            .distinct()
            .count();
  }
}
