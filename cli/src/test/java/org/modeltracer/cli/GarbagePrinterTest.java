package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gate.Gguf;
import org.modeltracer.gguf.GgufFile;

/** Someone whose model prints garbage: from what they see to what to mend, in a few commands. */
class GarbagePrinterTest {
  private static final Path MODEL = Path.of("models/tinyllama-gqa-f16.gguf");
  private static final String PROMPT = "When you run the program";

  @TempDir Path folder;

  private static String firstLine(Cli cli) {
    return cli.out().lines().findFirst().orElse("");
  }

  /** The numbers break: all commands name the same value of the same weight. */
  @Test
  void oneBadWeight() throws IOException {
    byte[] bytes = Files.readAllBytes(MODEL);
    long offset = GgufFile.read(MODEL).tensor("blk.2.attn_v.weight").orElseThrow().offset();
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort(Math.toIntExact(offset) + 2 * (3 * 256 + 5), (short) 0x7c00);
    Path broken = Files.write(folder.resolve("broken.gguf"), bytes);
    String cause = "blk.2.attn_v.weight has 1 bad value (0 NaN, 1 Inf), the first at [5, 3]";

    Cli run =
        Cli.run("run", broken, "-p", PROMPT, "-n", 8, "-t", 1, "--out", folder.resolve("run"));
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.out().lines().filter(line -> line.startsWith("root cause")))
        .singleElement()
        .asString()
        .contains(cause);

    Cli doctor = Cli.run("doctor", broken, "-p", PROMPT);
    assertThat(doctor.code()).isEqualTo(1);
    assertThat(firstLine(doctor)).isEqualTo("A weight is damaged: " + cause + ".");

    Cli weights = Cli.run("inspect", broken, "--weights");
    assertThat(weights.code()).isEqualTo(1);
    assertThat(weights.out())
        .contains(cause.replace("weight has", "weight  has"))
        .doesNotContain("No faults");
  }

  /** All numbers are finite and the weights sound: the file is held against one that works. */
  @Test
  void aWrongParameter() {
    Path wrong =
        new Gguf(MODEL).f32("llama.rope.freq_base", 50f).write(folder.resolve("wrong.gguf"));
    String cause = "llama.rope.freq_base is 50, that of the reference 10000";

    Cli run =
        Cli.run(
            "run",
            wrong,
            "-p",
            PROMPT,
            "-n",
            8,
            "-t",
            1,
            "--temp",
            0,
            "--out",
            folder.resolve("run"));
    Cli right =
        Cli.run(
            "run",
            MODEL,
            "-p",
            PROMPT,
            "-n",
            8,
            "-t",
            1,
            "--temp",
            0,
            "--out",
            folder.resolve("run"));
    assertThat(run.code()).as(run.err()).isZero();
    assertThat(text(run)).isNotEqualTo(text(right));
    assertThat(Cli.run("inspect", wrong, "--weights").out()).contains("No faults in the weights.");

    Cli check =
        Cli.run(
            "check", wrong, "--reference", MODEL, "--only", "reference.metadata", "--no-summary");
    assertThat(check.code()).isEqualTo(1);
    assertThat(check.out()).contains("✘ reference.metadata    " + cause);

    Cli diff = Cli.run("diff", wrong, MODEL, "-t", 1, "--chunks", 1, "--places", "--no-local");
    assertThat(diff.code()).isEqualTo(1);
    assertThat(diff.out().lines().limit(6)).anyMatch(line -> line.contains(cause));
  }

  private static String text(Cli run) {
    return run.out().lines().filter(line -> line.startsWith(PROMPT)).findFirst().orElseThrow();
  }
}
