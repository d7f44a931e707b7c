package org.modeltracer.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.testing.Faults;
import tools.jackson.databind.JsonNode;

/** The broken headers of the fault set, made from a healthy model by the listed edits. */
class GgufFaultsTest {
  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          f08_truncated_data | 2076800 | file is cut short: data of tensor "blk.1.attn_v.weight" need bytes 2044032 to 2109568, the file ends before; 1739264 bytes are missing in all (byte 2076800)
          f09_more_tensors_claimed | 10355 | tensor 40 of 44 (as many as the header claims at byte 8) has a name of 0 bytes, not 1 to 63 (byte 10355)
          f10_wrong_magic | 0 | not a GGUF file: magic is "GGUX", expected "GGUF" (byte 0)
          f11f_huge_array_length | 879 | "tokenizer.ggml.tokens" claims 1099511627776 elements of type string, 3815177 bytes are left in the file (byte 879)
          f12_empty | 0 | not a GGUF file: it is empty (byte 0)
          """)
  void unreadable(String id, long offset, String message) throws Exception {
    Path file = Faults.make(id, directory);
    assertThatThrownBy(() -> GgufFile.read(file))
        .isInstanceOfSatisfying(GgufException.class, e -> assertThat(e.offset()).isEqualTo(offset))
        .hasMessage(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          f11a_head_count_0 | llama.attention.head_count | 379 | llama.attention.head_count is 0: it must be over 0, layer 0 attends (byte 379)
          f11c_block_count_1000 | llama.block_count | 222 | llama.block_count is 1000: it must be 1 to 512 (byte 222)
          """)
  void unsound(String id, String key, long offset, String message) throws Exception {
    GgufFile file = GgufFile.read(Faults.make(id, directory));
    assertThat(LoadChecks.problems(file))
        .first()
        .isEqualTo(new LoadChecks.Problem(key, message, offset));
    assertThatThrownBy(() -> LoadChecks.require(file))
        .isInstanceOf(GgufException.class)
        .hasMessage(message);
  }

  @Test
  void everyFaultOfKindFileIsHere() {
    assertThat(Faults.ofKind("file")).hasSize(7);
  }

  @Test
  void numericFaultsAreSoundFiles() throws Exception {
    for (JsonNode fault : Faults.all()) {
      if (!fault.get("kind").asString().equals("file") && fault.get("patch").isArray()) {
        GgufFile file = GgufFile.read(Faults.make(fault.get("id").asString(), directory));
        assertThat(LoadChecks.problems(file)).isEmpty();
      }
    }
  }
}
