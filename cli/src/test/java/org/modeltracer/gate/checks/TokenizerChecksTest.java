package org.modeltracer.gate.checks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.gate.Gguf;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.llama.Engine;
import org.modeltracer.testing.Sample;

class TokenizerChecksTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-Q4_0.gguf");
  private static final String PRE = "tokenizer.ggml.pre";
  private static final String MERGES = "tokenizer.ggml.merges";
  private static final String TOKENS = "tokenizer.ggml.tokens";

  @TempDir Path folder;

  private static CheckResult ask(Check check, Path file, @Nullable Path reference) {
    var request =
        new CheckRequest(file, reference, null, Engine.usual(), PolicyFile.preset("strict"));
    try (var subject = new Subject(request)) {
      return check.ask(subject);
    }
  }

  private CheckResult parity(Gguf changed) {
    return ask(new TokenizerParity(), changed.write(folder.resolve("changed.gguf")), null);
  }

  static Stream<Path> models() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("models"))) {
      return files.filter(f -> f.toString().endsWith(".gguf")).sorted().toList().stream();
    }
  }

  static List<Path> sampledModels() throws IOException {
    return Sample.of(models().toList(), 3);
  }

  @ParameterizedTest
  @MethodSource("sampledModels")
  void healthyModelsPass(Path model) {
    CheckResult parity = ask(new TokenizerParity(), model, null);
    assertThat(parity.verdict()).as(parity.message()).isEqualTo(Verdict.PASS);
    assertThat(parity.evidence()).isEmpty();
    assertThat(parity.signals())
        .containsEntry("differing", 0)
        .containsEntry("merges", 126)
        .containsEntry("merges_out_of_order", 0)
        .containsEntry("frequent_tokens_split", 0);
    assertThat((int) parity.signals().get("texts")).isGreaterThan(300);
    CheckResult round = ask(new TokenizerRoundTrip(), model, null);
    assertThat(round.verdict()).as(round.message()).isEqualTo(Verdict.PASS);
    assertThat(round.signals()).containsEntry("bytes_with_a_token", 256);
  }

  @Test
  void anyTwoSwappedMergesFail() {
    var random = new Random(9);
    for (int i = 0; i < Sample.times(4, 12); i++) {
      var gguf = new Gguf(MODEL);
      var merges = new ArrayList<>(gguf.texts(MERGES));
      int a = random.nextInt(merges.size());
      int b = i == 0 ? (a + 1) % merges.size() : random.nextInt(merges.size());
      Collections.swap(merges, a, b);
      CheckResult result = parity(gguf.texts(MERGES, merges));
      assertThat(result.verdict()).isEqualTo(a == b ? Verdict.PASS : Verdict.FAIL);
      if (a != b) {
        assertThat(result.evidence().getFirst().rule()).isEqualTo("merge_order");
        assertThat(merges.get(a) + merges.get(b))
            .contains(result.message().replaceAll("(?s).*?: \"(.*?)\".*", "$1"));
      }
    }
  }

  @Test
  void shuffledAndMissingMergesFail() {
    var gguf = new Gguf(MODEL);
    var merges = new ArrayList<>(gguf.texts(MERGES));
    Collections.shuffle(merges, new Random(1));
    assertThat(parity(gguf.texts(MERGES, merges)).evidence())
        .anySatisfy(e -> assertThat(e.rule()).isEqualTo("merge_order"));
    List<String> half = new Gguf(MODEL).texts(MERGES).subList(63, 126);
    assertThat(parity(new Gguf(MODEL).texts(MERGES, half)).verdict()).isEqualTo(Verdict.FAIL);
  }

  @Test
  void lostMergesFail() {
    List<String> merges = new Gguf(MODEL).texts(MERGES);
    List<List<String>> lost =
        List.of(
            List.of(),
            merges.subList(0, 10),
            merges.subList(0, 60),
            merges.stream().map(merge -> merge.replace(" ", "")).toList(),
            merges.stream().map(merge -> "Q" + merge + "Z").toList());
    for (List<String> left : lost) {
      CheckResult result = parity(new Gguf(MODEL).texts(MERGES, left));
      assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.FAIL);
      assertThat(result.evidence())
          .anySatisfy(e -> assertThat(e.rule()).isEqualTo("unreached_tokens"));
    }
  }

  /** stories260K is a SentencePiece vocabulary, here also read as a unigram; MiniLM a WordPiece. */
  @ParameterizedTest
  @ValueSource(strings = {"stories260K-f32.gguf", "minilm-l2-f16.gguf", "t5"})
  void sentencePieceAndWordPieceBecomeTheTokensOfLlama(String name) {
    boolean unigram = name.equals("t5");
    Path real = Path.of("..", "shared", "real", unigram ? "stories260K-f32.gguf" : name);
    assumeTrue(Files.exists(real), () -> real + " is missing");
    CheckResult result =
        unigram
            ? parity(
                new Gguf(real)
                    .text("tokenizer.ggml.model", "t5")
                    .remove("tokenizer.ggml.add_eos_token"))
            : ask(new TokenizerParity(), real, null);
    assertThat(result.signals()).as("%s", result.evidence()).containsEntry("differing", 0);
    assertThat((int) result.signals().get("texts")).isGreaterThan(200);
    assertThat(result.evidence()).allSatisfy(e -> assertThat(e.rule()).isEqualTo("llama_differs"));
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.PASS);
  }

  /** llama.cpp would make token −1 of each byte that has no token. */
  @Test
  void anRwkvVocabularyHasEveryByte() {
    Path file =
        new Gguf(MODEL).text("tokenizer.ggml.model", "rwkv").write(folder.resolve("r.gguf"));
    CheckResult result = ask(new FileStructure(), file, null);
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.message()).contains("tokenizer.ggml.model is rwkv", "lacks 162 of 256");
  }

  /** The name says layer 99999999999, which is no number of a layer. */
  @Test
  void aLayerNumberBeyondBoundsIsNone() {
    Path file = Path.of("..", "shared", "wild", "blk-number.gguf");
    assumeTrue(Files.exists(file), () -> file + " is missing");
    for (Check check : List.of(new FileStructure(), new FileData())) {
      assertThat(ask(check, file, null).verdict()).isEqualTo(Verdict.PASS);
    }
  }

  @Test
  void brokenSentencePieceAndWordPieceFail() {
    Path stories = Path.of("..", "shared", "real", "stories260K-f32.gguf");
    Path minilm = Path.of("..", "shared", "real", "minilm-l2-f16.gguf");
    assumeTrue(Files.exists(stories), () -> stories + " is missing");
    List<String> tokens = new ArrayList<>(new Gguf(stories).texts(TOKENS));
    tokens.set(13, "nobyte");
    CheckResult bytes = parity(new Gguf(stories).texts(TOKENS, tokens));
    assertThat(bytes.message()).contains("1 of 256 bytes");
    Collections.reverse(tokens.subList(259, 480));
    tokens.set(13, "<0x0A>");
    List<String> bare =
        new Gguf(minilm)
            .texts(TOKENS).stream()
                .map(token -> token.startsWith("▁") ? "##" + token.substring(1) : token)
                .toList();
    for (CheckResult result :
        List.of(
            parity(new Gguf(stories).texts(TOKENS, tokens)),
            parity(new Gguf(minilm).texts(TOKENS, bare)))) {
      assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.FAIL);
      assertThat(result.evidence())
          .anySatisfy(e -> assertThat(e.rule()).isEqualTo("unreached_tokens"));
    }
  }

  @Test
  void aMissingOrDefaultPreTokenizerFails() {
    for (Gguf changed :
        List.of(new Gguf(MODEL).remove(PRE), new Gguf(MODEL).text(PRE, "default"))) {
      CheckResult result = parity(changed);
      assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
      assertThat(result.evidence().getFirst().rule()).isEqualTo("pre_tokenizer_missing");
    }
  }

  static List<String> unneeded() {
    return Sample.of(
        List.of(
            "llama-bpe",
            "qwen2",
            "qwen35",
            "deepseek-llm",
            "deepseek-coder",
            "deepseek-v3",
            "gpt-4o",
            "tekken",
            "bloom",
            "chatglm-bpe",
            "stablelm2",
            "superbpe"),
        4);
  }

  /** The vocabulary is all plain words, which GPT-2's rules would have left. */
  @ParameterizedTest
  @MethodSource("unneeded")
  void aPreTokenizerThatNoTokenNeedsFails(String pre) {
    for (Path model : List.of(MODEL, Path.of("models", "rand-gpt2-f32.gguf"))) {
      CheckResult result = parity(new Gguf(model).text(PRE, pre));
      assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
      assertThat(result.evidence().getFirst().rule()).isEqualTo("pre_tokenizer_unconfirmed");
    }
  }

  /** Rules that only split more cut no token of this vocabulary, which is too small to tell. */
  @ParameterizedTest
  @ValueSource(strings = {"starcoder", "refact", "smollm", "codeshell", "falcon", "command-r"})
  void aPreTokenizerThatASmallVocabularyCannotConfirmFails(String pre) {
    CheckResult result = parity(new Gguf(MODEL).text(PRE, pre));
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence().getFirst().rule()).isEqualTo("pre_tokenizer_unconfirmed");
    assertThat(result.message()).contains("splits what GPT-2's keeps");
  }

  /** Other names of the same rules make no difference to any text. */
  @ParameterizedTest
  @ValueSource(strings = {"mpt", "olmo", "phi-2", "jina-es"})
  void anotherNameOfTheSameRulesPasses(String pre) {
    assertThat(parity(new Gguf(MODEL).text(PRE, pre)).verdict()).isEqualTo(Verdict.PASS);
  }

  /** Gives the model a vocabulary with tokens that only GPT-2's rules keep whole. */
  @ParameterizedTest
  @ValueSource(strings = {"llama-bpe", "qwen2", "deepseek-llm", "deepseek-v3", "falcon", "gpt-4o"})
  void aPreTokenizerThatSplitsFrequentTokensFails(String pre) {
    CheckResult right = parity(withNumbers("gpt-2"));
    assertThat(right.verdict()).as(right.message()).isEqualTo(Verdict.PASS);
    CheckResult wrong = parity(withNumbers(pre));
    assertThat(wrong.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(wrong.evidence().getFirst().rule()).isEqualTo("pre_tokenizer_wrong");
    assertThat(wrong.message()).contains(pre).contains("would fit");
  }

  /** The first merges make " 1", "'s" and " (" of GPT-2, in place of others. */
  private static Gguf withNumbers(String pre) {
    var gguf = new Gguf(MODEL).text(PRE, pre);
    var tokens = new ArrayList<>(gguf.texts(TOKENS));
    var merges = new ArrayList<>(gguf.texts(MERGES));
    List<String> ours = List.of("Ġ 1", "' s", "Ġ (");
    for (int i = 0; i < ours.size(); i++) {
      String last = merges.removeLast();
      String result = last.replace(" ", "");
      tokens.remove(result);
      merges.add(i, ours.get(i));
      tokens.add(258 + i, ours.get(i).replace(" ", ""));
    }
    return gguf.texts(TOKENS, tokens).texts(MERGES, merges);
  }

  @Test
  void anyChangeShowsAgainstAReference() {
    var check = new TokenizerReference();
    assertThat(ask(check, MODEL, Path.of("models", "tinyllama-mha-f16.gguf")).verdict())
        .isEqualTo(Verdict.PASS);
    for (String pre : List.of("llama-bpe", "qwen2", "starcoder", "deepseek-coder", "bloom")) {
      Path changed = new Gguf(MODEL).text(PRE, pre).write(folder.resolve("changed.gguf"));
      CheckResult result = ask(new ReferenceMetadata(), changed, MODEL);
      assertThat(result.verdict()).as(pre).isEqualTo(Verdict.FAIL);
      assertThat(result.message())
          .isEqualTo("tokenizer.ggml.pre is %s, that of the reference gpt-2".formatted(pre));
    }
    var gguf = new Gguf(MODEL);
    var merges = new ArrayList<>(gguf.texts(MERGES));
    Collections.shuffle(merges, new Random(2));
    Path swapped = gguf.texts(MERGES, merges).write(folder.resolve("changed.gguf"));
    assertThat(ask(check, swapped, MODEL).evidence())
        .anySatisfy(e -> assertThat(e.rule()).isEqualTo("tokenizer_mismatch"));
  }

  @Test
  void otherKindsOfTokenizersAreSkippedWithTheReason() {
    Path none =
        new Gguf(MODEL).text("tokenizer.ggml.model", "none").write(folder.resolve("n.gguf"));
    CheckResult result = ask(new TokenizerParity(), none, null);
    assertThat(result.verdict()).isEqualTo(Verdict.SKIPPED);
    assertThat(result.message()).contains("none is not byte-level BPE");
  }
}
