package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.testing.Faults;

/** A file that is no model ends with exit code 3 and says what is wrong; nothing crashes. */
class BrokenFileTest {
  @TempDir Path folder;

  private static Cli command(String name, Path model, Path out) {
    return switch (name) {
      case "inspect" -> Cli.run("inspect", model);
      case "bench" -> Cli.run("bench", "-m", model);
      default -> Cli.run(name, "-m", model, "--tokens", "0,1", "--out", out);
    };
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          f08_truncated_data | 1739264 bytes are missing in all (byte 2076800)
          f09_more_tensors_claimed | tensor 40 of 44 (as many as the header claims at byte 8)
          f10_wrong_magic | not a GGUF file: magic is "GGUX", expected "GGUF" (byte 0)
          f11a_head_count_0 | llama.attention.head_count is 0: it must be over 0
          f11c_block_count_1000 | llama.block_count is 1000: it must be 1 to 512 (byte 222)
          f11f_huge_array_length | "tokenizer.ggml.tokens" claims 1099511627776 elements
          f12_empty | not a GGUF file: it is empty (byte 0)
          """)
  void brokenHeaders(String id, String message) throws IOException {
    Path model = Faults.make(id, folder);
    Path out = folder.resolve("out");
    for (String name : List.of("run", "inspect", "export", "bench")) {
      Cli cli = command(name, model, out);
      assertThat(cli.code()).as(name + ": " + cli.err()).isEqualTo(3);
      assertThat(cli.err().lines()).hasSize(1);
      assertThat(cli.message()).startsWith("modeltracer: ").contains(message);
      assertThat(cli.out()).isEmpty();
      assertThat(out).doesNotExist();
    }
  }

  @Test
  void everyBrokenHeaderIsHere() throws Exception {
    var source =
        BrokenFileTest.class
            .getDeclaredMethod("brokenHeaders", String.class, String.class)
            .getAnnotation(CsvSource.class)
            .textBlock();
    assertThat(Faults.ofKind("file")).isNotEmpty().allMatch(source::contains);
  }

  @Test
  void noFileAtAll() {
    for (String name : List.of("run", "inspect", "export", "bench")) {
      for (Path model : List.of(folder.resolve("missing.gguf"), folder)) {
        Cli cli = command(name, model, folder.resolve("out"));
        assertThat(cli.code()).as(cli.err()).isEqualTo(3);
        assertThat(cli.err().lines()).hasSize(1);
        assertThat(cli.message()).contains(model.toString());
      }
    }
  }
}
