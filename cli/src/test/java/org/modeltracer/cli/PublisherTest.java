package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** Someone who publishes quantized models behind a CI gate: what they type, and what they see. */
class PublisherTest {
  private static final Path F16 = Path.of("models/tinyllama-gqa-f16.gguf");
  private static final Path Q8 = Path.of("models/tinyllama-gqa-Q8_0.gguf");
  private static final Path Q2 = Path.of("models/tinyllama-gqa-Q2_K.gguf");

  @TempDir Path folder;

  private static JsonNode json(Path file) throws IOException {
    return Json.mapper().readTree(Files.readString(file));
  }

  private static List<String> lines(Cli cli, String part) {
    return cli.out().lines().filter(line -> line.contains(part)).toList();
  }

  /** A copy with NaN in one weight. */
  private static void poison(Path source, Path target) throws IOException {
    byte[] bytes = Files.readAllBytes(source);
    long offset = GgufFile.read(source).tensor("blk.1.ffn_down.weight").orElseThrow().offset();
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort(Math.toIntExact(offset), (short) 0x7e00);
    Files.write(target, bytes);
  }

  /** A release of three files, one of which was damaged on its way. */
  @Test
  void checksAFolderAndReadsWhatCiGets() throws IOException {
    Path release = Files.createDirectories(folder.resolve("release/more"));
    Files.copy(Q8, release.resolve("good-Q8_0.gguf"));
    Files.copy(Q2, release.resolveSibling("good-Q2_K.gguf"));
    poison(F16, release.resolveSibling("bad-f16.gguf"));
    Path out = folder.resolve("gate");
    Path sarif = folder.resolve("gate.sarif");
    Cli cli =
        Cli.run(
            "check",
            folder.resolve("release"),
            "--policy",
            "smoke",
            "--only",
            "file,forward.finite",
            "--out",
            out,
            "--sarif",
            sarif);
    assertThat(cli.code()).as(cli.err()).isEqualTo(1);

    // The table: the cause first, then a total that names it again.
    assertThat(lines(cli, "root cause  "))
        .singleElement()
        .asString()
        .contains("blk.1.ffn_down.weight has 1 bad value");
    assertThat(
            cli.out()
                .lines()
                .filter(line -> line.matches("(PASS|FAIL) .*"))
                .map(l -> l.substring(0, 4)))
        .containsExactly("FAIL", "PASS", "PASS");
    List<String> total = cli.out().lines().toList();
    assertThat(total.getLast()).isEqualTo("3 files: 2 pass, 1 fail");
    assertThat(total.get(total.size() - 4))
        .startsWith("✘ ")
        .contains("bad-f16.gguf: blk.1.ffn_down.weight has 1 bad value");

    // overview.json leads to the summary of each file.
    JsonNode overview = json(out.resolve("overview.json"));
    assertThat(overview.path("verdict").asString()).isEqualTo("fail");
    assertThat(overview.at("/counts/pass").asInt()).isEqualTo(2);
    for (JsonNode file : overview.path("files")) {
      JsonNode summary = json(out.resolve(file.path("summary").asString()));
      assertThat(summary.at("/verdict/verdict").asString())
          .isEqualTo(file.path("verdict").asString());
    }

    // One bad weight is one error, whose consequences are its related places.
    JsonNode run = json(sarif).at("/runs/0");
    List<JsonNode> errors =
        run.path("results")
            .valueStream()
            .filter(r -> r.path("level").asString().equals("error"))
            .toList();
    assertThat(errors)
        .singleElement()
        .satisfies(
            error -> {
              assertThat(error.at("/message/text").asString()).contains("blk.1.ffn_down.weight");
              assertThat(error.at("/locations/0/physicalLocation/artifactLocation/uri").asString())
                  .endsWith("bad-f16.gguf");
            });
    assertThat(run.at("/tool/driver/rules").valueStream())
        .allSatisfy(rule -> assertThat(rule.at("/help/text").asString()).isNotBlank());
  }

  /** CI has no room for the f16 file: what it predicts is kept once, and met ever after. */
  @Test
  void keepsWhatTheOriginalPredictsAndGatesByIt() throws IOException {
    Path base = folder.resolve("f16.kld");
    Cli keep = Cli.run("perplexity", F16, "-t", 1, "--chunks", 6, "--save-kl-base", base);
    assertThat(keep.code()).as(keep.err()).isZero();
    assertThat(base).isNotEmptyFile();

    Path out = folder.resolve("out");
    Cli fine = gate(Q8, base, out);
    assertThat(fine.code()).as(fine.out()).isZero();
    assertThat(lines(fine, "✔ reference.logits")).singleElement().asString().contains("mean KL");
    assertThat(fine.out()).contains("PASS").doesNotContain("(--reference or --kl-base)");

    Cli coarse = gate(Q2, base, out);
    assertThat(coarse.code()).isEqualTo(1);
    assertThat(lines(coarse, "✘ reference.logits"))
        .singleElement()
        .asString()
        .contains("mean KL divergence", "the limit is");
    assertThat(json(out.resolve("summary.json")).at("/verdict/verdict").asString())
        .isEqualTo("fail");
  }

  private static Cli gate(Path model, Path base, Path out) {
    return Cli.run("check", model, "--kl-base", base, "--only", "reference", "--out", out);
  }
}
