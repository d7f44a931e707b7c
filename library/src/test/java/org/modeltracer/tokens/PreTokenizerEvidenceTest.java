package org.modeltracer.tokens;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gguf.GgufFile;

/** What sets other rules apart from GPT-2's, whatever the vocabulary. */
class PreTokenizerEvidenceTest {
  private static final List<String> PLAIN = PreTokenizers.expressions("gpt-2");

  static Stream<String> otherRules() {
    return new TreeSet<>(PreTokenizers.names())
        .stream().filter(name -> !PreTokenizers.expressions(name).equals(PLAIN));
  }

  @ParameterizedTest
  @MethodSource("otherRules")
  void everyOtherSetOfRulesJoinsOrSplitsMore(String name) throws UnsupportedTokenizer {
    var evidence =
        PreTokenizerEvidence.of(
            GgufVocabulary.of(GgufFile.read(Path.of("models/tinyllama-mha-Q4_0.gguf"))), name);
    assertThat(evidence.joinsMore() || evidence.splitsMore()).isTrue();
  }
}
