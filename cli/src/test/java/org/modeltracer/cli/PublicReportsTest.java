package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Sample;
import org.modeltracer.testing.Shared;

/**
 * Inputs of public bug reports, made by the scripts beside the project, and the answer that each
 * reporter needed.
 */
class PublicReportsTest {
  private static final String REFERENCE = "models/tinyllama-gqa-f16.gguf";

  @TempDir private static Path folder;

  private static final Set<String> MADE = new TreeSet<>();

  private static void make(String script) throws IOException, InterruptedException {
    if (MADE.contains(script)) {
      return;
    }
    Path file = Shared.file("wild/cases", script + ".py");
    Process python;
    try {
      python =
          new ProcessBuilder("python3", file.toString(), folder.toString())
              .redirectErrorStream(true)
              .redirectOutput(folder.resolve("python.log").toFile())
              .start();
    } catch (IOException missing) {
      assumeThat(false).as("python3 is not here").isTrue();
      return;
    }
    assumeThat(python.waitFor(60, TimeUnit.SECONDS) && python.exitValue() == 0)
        .as("python3 lacks numpy")
        .isTrue();
    MADE.add(script);
  }

  /** A file of a script, what is asked, the exit code, and what must be said. */
  record Report(String script, String file, int code, List<String> asked, String... said) {}

  private static Report check(String script, String file, int code, String only, String... said) {
    return new Report(script, file, code, List.of("check", "--no-summary", "--only", only), said);
  }

  private static Report against(String script, String file, String reference, String said) {
    return new Report(
        script,
        file,
        1,
        List.of(
            "check", "--no-summary", "--only", "file,reference.metadata", "--reference", reference),
        said);
  }

  static List<Report> reports() {
    return Sample.of(all(), 5);
  }

  private static List<Report> all() {
    return List.of(
        check(
            "chat-end-of-turn", "odd-end", 1, "tokenizer.template", "<|zzz_end|>", "does not stop"),
        check("chat-end-of-turn", "foreign-template", 1, "tokenizer.template", "<|start_of_turn|>"),
        check("chat-token-types", "types", 1, "tokenizer.template", "<|im_start|>", "9 tokens"),
        check("kv-heads-zero", "kv0", 3, "file", "head_count_kv", "blk.2"),
        check("norm-f16", "norm-f16", 3, "file", "blk.1.ffn_norm.weight is f16"),
        check("merges-lost", "none", 1, "tokenizer.parity", "126"),
        check("merges-lost", "half", 1, "tokenizer.parity", "no merge"),
        check("merges-lost", "joined", 1, "tokenizer.parity", "no merge"),
        check("other-kinds", "mmproj", 0, "file", "projector"),
        check("other-kinds", "lora", 0, "file", "LoRA adapter"),
        check("other-kinds", "imatrix", 0, "file", "importance matrix"),
        check("other-kinds", "vocab", 0, "file", "a vocabulary without weights"),
        check("shard-nan", "nan-00001-of-00003", 1, "file", "blk.2.ffn_down.weight", "[101, 37]"),
        check("shard-nan", "nan-00003-of-00003", 1, "file", "blk.2.ffn_down.weight"),
        against(
            "reference-metadata",
            "rope",
            REFERENCE,
            "rope.freq_base is 1000000, that of the reference 10000"),
        against("reference-metadata", "eps", REFERENCE, "layer_norm_rms_epsilon is 0.1"),
        against(
            "reference-metadata",
            "yarn",
            REFERENCE,
            "rope.scaling.factor is 4, the reference has none"),
        against(
            "reference-metadata",
            "nogate",
            Shared.find("archs", "deepseek2-moe-f16.gguf").map(Path::toString).orElse("absent"),
            "expert_gating_func is missing, the reference has 2"),
        against(
            "reference-tokenizer",
            "types",
            "ref.gguf",
            "token 384 <|im_start|> is normal text here, a control token in the reference"),
        against(
            "reference-tokenizer",
            "eos",
            "ref.gguf",
            "eos_token_id is 1, that of the reference 385"),
        against("reference-tokenizer", "template", "ref.gguf", "the chat template differs"),
        against(
            "reference-tokenizer", "notemplate", "ref.gguf", "the reference has a chat template"));
  }

  @ParameterizedTest
  @MethodSource("reports")
  void theAnswerIsSaid(Report report) throws IOException, InterruptedException {
    make(report.script());
    String[] words =
        report.asked().stream()
            .map(word -> word.equals("ref.gguf") ? folder.resolve(word).toString() : word)
            .toArray(String[]::new);
    Object[] all = new Object[words.length + 1];
    System.arraycopy(words, 0, all, 0, words.length);
    all[words.length] = folder.resolve(report.file() + ".gguf");
    Cli cli = Cli.run(all);
    assertThat(cli.out()).contains(report.said());
    assertThat(cli.code()).as(cli.out()).isEqualTo(report.code());
  }

  @Test
  void aScaleErrorIsNamedWithItsWeightAndFactor() throws IOException, InterruptedException {
    make("diff-scale-error");
    Cli norm = diff("outnorm");
    assertThat(norm.code()).isEqualTo(1);
    assertThat(norm.out()).contains("9.50 times the reference's, by output_norm.weight");
    Cli plus = diff("plus1");
    assertThat(plus.code()).isEqualTo(1);
    assertThat(plus.out()).contains("blk.2.ffn_norm.weight");
  }

  private Cli diff(String name) {
    return Cli.run(
        "diff",
        folder.resolve(name + ".gguf"),
        REFERENCE,
        "-t",
        1,
        "-p",
        "When you run the program, the compiler checks that the counts match.");
  }
}
