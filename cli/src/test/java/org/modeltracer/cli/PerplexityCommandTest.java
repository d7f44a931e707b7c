package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The command, and predictions that are kept for a CI without the reference. */
class PerplexityCommandTest {
  private static final String REFERENCE = "models/tinyllama-gqa-f16.gguf";

  @TempDir Path folder;

  @Test
  void saysWhatTheModelKnowsMoreThanCounts() {
    Cli trained = Cli.run("perplexity", "-m", Cli.MODEL, "-t", 1, "--chunks", 2);
    assertThat(trained.code()).isZero();
    assertThat(trained.out()).contains("perplexity", "unigrams", "chance", "bits per byte");
    Cli random = Cli.run("perplexity", "-m", "models/rand-qwen2-f32.gguf", "-t", 1, "--chunks", 2);
    assertThat(random.code()).isEqualTo(1);
    assertThat(random.out()).contains("no better than the counts of its tokens");
  }

  @Test
  void predictionsAreKeptAndMet() {
    Path base = folder.resolve("base.kld");
    Cli kept =
        Cli.run(
            "perplexity",
            "-m",
            REFERENCE,
            "-t",
            1,
            "-c",
            128,
            "--chunks",
            6,
            "--json",
            "--save-kl-base",
            base);
    assertThat(kept.code()).as(kept.err()).isZero();
    JsonNode own = kept.json();
    assertThat(own.path("positions").asInt()).isEqualTo(6 * 63);
    Cli met = Cli.run("perplexity", "-m", REFERENCE, "-t", 1, "--json", "--kl-base", base);
    assertThat(met.json().at("/divergence/kl_mean").asDouble()).isBetween(0.0, 1e-5);
    assertThat(met.json().path("perplexity").asDouble())
        .isCloseTo(own.path("perplexity").asDouble(), within(1e-9));
    Cli coarse =
        Cli.run(
            "perplexity",
            "-m",
            "models/tinyllama-gqa-Q2_K.gguf",
            "-t",
            1,
            "--json",
            "--kl-base",
            base);
    double kl = coarse.json().at("/divergence/kl_mean").asDouble();
    assertThat(kl).isGreaterThan(0.01);
    JsonNode diff =
        Cli.run(
                "diff",
                "models/tinyllama-gqa-Q2_K.gguf",
                REFERENCE,
                "-t",
                1,
                "-c",
                128,
                "--chunks",
                6,
                "--no-local",
                "--places",
                "--json")
            .json();
    assertThat(kl).isCloseTo(diff.at("/logits/kl_mean").asDouble(), within(1e-4));
    gate(base);
  }

  /** The gate needs no reference file then. */
  private void gate(Path base) {
    Cli fine = check("models/tinyllama-gqa-Q8_0.gguf", base);
    assertThat(fine.code()).as(fine.out()).isZero();
    Cli coarse = check("models/tinyllama-gqa-Q2_K.gguf", base);
    assertThat(coarse.code()).isEqualTo(1);
    assertThat(coarse.out()).contains("KL divergence", "the limit is");
    Cli other = check("../nothing.gguf", base.resolveSibling("missing.kld"));
    assertThat(other.code()).isEqualTo(2);
    assertThat(other.message()).contains("--kl-base: no such file");
  }

  private static Cli check(String model, Path base) {
    return Cli.run(
        "check", "--no-summary", "--only", "reference.logits", "--kl-base", base, "--", model);
  }

  @Test
  void whatCannotBeMeasuredIsSaid() throws IOException {
    Path junk = Files.writeString(folder.resolve("junk.kld"), "not logits at all, just some text");
    Cli none = Cli.run("perplexity", "-m", Cli.MODEL, "-t", 1, "--kl-base", junk);
    assertThat(none.code()).isEqualTo(2);
    assertThat(none.message()).contains("junk.kld", "_logits_");
    Cli both = Cli.run("perplexity", "-m", Cli.MODEL, "-p", "hi", "--kl-base", junk);
    assertThat(both.code()).isEqualTo(2);
    Cli one = Cli.run("perplexity", "-m", Cli.MODEL, "--tokens", "5", "-t", 1);
    assertThat(one.code()).isEqualTo(2);
  }
}
