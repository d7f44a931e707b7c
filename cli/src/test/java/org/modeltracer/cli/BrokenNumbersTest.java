package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import tools.jackson.databind.JsonNode;

/** Every command that reads a model says when its numbers are none, and where first. */
class BrokenNumbersTest {
  private static final String CAUSE =
      "the model's numbers are broken, first in ffn_out-1 (MUL_MAT) at position 0:"
          + " blk.1.ffn_down.weight has 1 bad value (1 NaN, 0 Inf), the first at [5, 0]";

  @TempDir private Path folder;
  private Path broken;

  @BeforeEach
  void poison() throws IOException {
    Path model = Path.of(Cli.MODEL);
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(model)).order(ByteOrder.LITTLE_ENDIAN);
    TensorInfo weight = GgufFile.read(model).tensor("blk.1.ffn_down.weight").orElseThrow();
    bytes.putFloat(Math.toIntExact(weight.offset()) + 4 * 5, Float.NaN);
    broken = Files.write(folder.resolve("broken.gguf"), bytes.array());
  }

  @Test
  void commandsThatReadForOtherEndsSaySo() {
    for (List<Object> command :
        List.<List<Object>>of(
            List.of("heads", "--sequences", 1, "-m", broken),
            List.of("attention", "-p", "a b c", "-m", broken, "--out", folder),
            List.of("lens", "-p", "a b c", "-m", broken),
            List.of("export", "-p", "a b c", "-m", broken, "--out", folder))) {
      Cli cli = Cli.run(command.toArray());
      assertThat(cli.code()).as(command + cli.err()).isEqualTo(1);
      assertThat(cli.err().lines()).as(command.toString()).hasSize(1);
      assertThat(cli.message()).contains(CAUSE);
    }
  }

  /** Two layers after the bad weight show no finite row of attention: no label, none of "mixed". */
  @Test
  void headsWithoutFiniteRowsGetNoLabel() {
    Cli cli = Cli.run("heads", "--sequences", 1, "-m", broken, "--json");
    assertThat(cli.code()).isEqualTo(1);
    for (JsonNode head : cli.json().get("heads")) {
      boolean finite = head.get("layer").asInt() < 2;
      assertThat(head.get("label").isNull()).as(head.toString()).isEqualTo(!finite);
    }
  }

  @Test
  void aLayerOfNaNHasNoHeadroom() throws IOException {
    Cli cli = Cli.run("run", "-m", broken, "-p", "a b c", "-n", 1, "--out", folder);
    assertThat(cli.code()).isEqualTo(1);
    assertThat(cli.out())
        .doesNotContain("Infinity", "∞")
        .containsPattern("root cause +ffn_out-1 .*blk\\.1\\.ffn_down\\.weight has 1 bad value");
  }
}
