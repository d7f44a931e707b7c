package org.modeltracer.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Healthy models, against what gguf-py 0.19 reads from them: file size, number of pairs and
 * tensors, start of the data, bytes of all tensors, CRC-32 of the table as text.
 */
class GgufModelsTest {
  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource(
      textBlock =
          """
          rand-gemma2-f32, 899968, 28, 46, 10880, 889088, d08f24ba
          rand-gpt2-f32, 774208, 21, 40, 10048, 764160, 842a6758
          rand-mixtral-f32, 897568, 27, 23, 9504, 888064, baee2736
          rand-qwen2-f32, 554080, 23, 38, 10080, 544000, 3c422e9d
          tinyllama-gqa-Q2_K, 641856, 27, 38, 10304, 631552, 8ea05e85
          tinyllama-gqa-Q4_K_M, 953408, 27, 38, 10304, 943104, 511e66a6
          tinyllama-gqa-Q8_0, 1655872, 27, 38, 10304, 1645568, 7d771e01
          tinyllama-gqa-f16, 3099712, 27, 38, 10304, 3089408, 42f0b09a
          tinyllama-mha-Q4_0, 574080, 27, 39, 10368, 563712, 559c2cb2
          tinyllama-mha-Q8_0, 1024640, 27, 39, 10368, 1014272, ea70c418
          tinyllama-mha-f16, 1915520, 27, 39, 10368, 1905152, c5362919
          tinyllama-mha-f32, 3816064, 27, 39, 10368, 3805696, 85aab9ee
          """)
  void models(
      String name, long size, int pairs, int tensors, long data, long bytes, String listing) {
    check(Path.of("models", name + ".gguf"), size, pairs, tensors, data, bytes, listing);
  }

  /** Headers of models of other architectures, their data replaced by a hole. */
  @ParameterizedTest
  @CsvSource(
      textBlock =
          """
          bloom-dense-f16, 2014432, 152, 46, 22240, 1991744, f9d4dfc7
          command-r-dense-f16, 2327008, 152, 52, 23136, 2303088, 22c25288
          deepseek2-moe-f16, 2231168, 152, 51, 23328, 2207320, ae0a6cc6
          deepseek32-moe-f16, 19109920, 152, 66, 24384, 19084920, 1a74ab18
          falcon-h1-dense-f16, 4551712, 152, 88, 25056, 4525504, ba56c397
          gemma3-dense-f16, 2401024, 153, 63, 23424, 2376816, f0d90931
          gpt-oss-moe-f16, 3597856, 153, 69, 24096, 3572928, fe95b059
          gpt2-dense-f16, 2274368, 152, 45, 22080, 2251840, 58c8675a
          jamba-dense-f16, 3197056, 152, 56, 22880, 3173480, 66be6936
          mamba-dense-f16, 2814112, 152, 31, 21408, 2792480, 198d745a
          mpt-dense-f16, 2281728, 152, 51, 22272, 2259008, 1842a53f
          phi3-dense-f16, 2394240, 152, 51, 22400, 2371168, 366f2855
          qwen3-dense-f16, 2000256, 152, 60, 23040, 1976432, 75093757
          qwen3next-moe-f16, 4972000, 152, 71, 24480, 4946592, 3bb8ec7a
          """)
  void architectures(
      String name, long size, int pairs, int tensors, long data, long bytes, String listing)
      throws Exception {
    Path path = directory.resolve(name + ".gguf");
    Path header = Path.of("test-fixtures", "gguf-headers", name + ".gz");
    try (var in = new GZIPInputStream(Files.newInputStream(header))) {
      Files.copy(in, path);
    }
    try (var file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
    }
    check(path, size, pairs, tensors, data, bytes, listing);
  }

  private static void check(
      Path path, long size, int pairs, int tensors, long data, long bytes, String listing) {
    GgufFile file = GgufFile.read(path);
    assertThat(file.size()).isEqualTo(size);
    assertThat(file.metadata().size()).isEqualTo(pairs);
    assertThat(file.tensors()).hasSize(tensors);
    assertThat(file.dataOffset()).isEqualTo(data);
    assertThat(file.tensors().stream().mapToLong(TensorInfo::bytes).sum()).isEqualTo(bytes);
    assertThat(crc(file)).isEqualTo(listing);
    assertThat(LoadChecks.problems(file)).isEmpty();
    LoadChecks.require(file);
  }

  private static String crc(GgufFile file) {
    var crc = new CRC32();
    for (TensorInfo tensor : file.tensors()) {
      String shape = tensor.shape().stream().map(Object::toString).collect(Collectors.joining("x"));
      String type = tensor.type().ggmlName().toLowerCase(Locale.ROOT);
      String line = tensor.name() + " " + type + " " + shape + " " + tensor.offset();
      crc.update((line + " " + tensor.bytes() + "\n").getBytes(StandardCharsets.UTF_8));
    }
    return String.format("%08x", crc.getValue());
  }
}
