package org.modeltracer.gate.checks;

import java.util.Arrays;
import java.util.List;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.llama.Vocabulary;

/**
 * Whether the file and its reference make the same tokens.
 *
 * <p>The only check that sees every change of a pre-tokenizer: without a reference, one whose rules
 * split no frequent token of the vocabulary cannot be distinguished from the right one.
 */
final class TokenizerReference extends Check {
  private static final int SHOWN = 5;

  TokenizerReference() {
    super(
        "tokenizer.reference",
        Needs.REFERENCE,
        "same vocabulary as the reference, same tokens for tricky texts");
  }

  @Override
  CheckResult run(Subject subject) {
    Vocabulary ours = subject.model().vocabulary();
    Vocabulary theirs = subject.reference().vocabulary();
    if (!ours.usable() || !theirs.usable()) {
      return CheckResult.of(
          id(), Verdict.SKIPPED, "the file or its reference has no vocabulary that tokenizes text");
    }
    var check = new CheckResultBuilder(this, subject);
    vocabularies(ours, theirs, check);
    int differing = 0;
    List<String> texts = TrickyTexts.fixed();
    for (String text : texts) {
      int at = Arrays.mismatch(ours.tokenize(text, true, true), theirs.tokenize(text, true, true));
      if (at >= 0 && ++differing <= SHOWN) {
        check.judge(
            Evidence.of(
                "tokenizer_mismatch",
                Severity.CRITICAL,
                "%s becomes other tokens than in the reference, from token %d on"
                    .formatted(ByteLevel.quote(text), at)));
      }
    }
    check.signal("texts", texts.size());
    check.signal("differing", differing);
    return check.result(texts.size() + " texts become the same tokens as in the reference");
  }

  private static void vocabularies(Vocabulary ours, Vocabulary theirs, CheckResultBuilder check) {
    int differing = Math.abs(ours.size() - theirs.size());
    for (int id = 0; id < Math.min(ours.size(), theirs.size()); id++) {
      if (!ours.entry(id).equals(theirs.entry(id))) {
        differing++;
      }
    }
    check.signal("tokens", ours.size());
    check.signal("tokens_reference", theirs.size());
    check.signal("tokens_differing", differing);
    if (differing > 0) {
      check.judge(
          Evidence.of(
              "vocabulary",
              Severity.CRITICAL,
              "%d tokens of the vocabulary are not those of the reference".formatted(differing)));
    }
  }
}
