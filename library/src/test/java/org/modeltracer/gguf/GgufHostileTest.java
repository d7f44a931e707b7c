package org.modeltracer.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever the file, reading it ends at once, in an answer or a GgufException. */
@Tag("alone")
class GgufHostileTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final long SECOND = 1_000_000_000L;

  @TempDir static Path directory;

  @Test
  void truncationAnywhere() throws IOException {
    byte[] model = model();
    int sound = 0;
    for (int i = 0; i < 64; i++) {
      int length = (int) ((long) model.length * i / 64);
      sound += survives(Arrays.copyOf(model, length), length);
    }
    byte[] header = header(model);
    for (int length = 0; length < header.length; length += 41) {
      sound += survives(Arrays.copyOf(header, length), length);
    }
    assertThat(sound).as("no truncated file is sound").isZero();
  }

  @Test
  void randomDamageToTheHeader() throws IOException {
    byte[] header = header(model());
    long size = model().length;
    var random = new Random(20260717);
    int sound = 0;
    for (int i = 0; i < 3200; i++) {
      byte[] damaged = header.clone();
      // half of the damage falls on the table of tensors and the scalars, not in the tokens
      int from = i % 2 == 0 ? 0 : header.length - 2600;
      for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
        int at = from + random.nextInt(header.length - from);
        damaged[at] = (byte) (i % 3 == 0 ? damaged[at] ^ 1 << random.nextInt(8) : random.nextInt());
      }
      sound += survives(damaged, size);
    }
    assertThat(sound).as("some damage is harmless, some is not").isBetween(160, 3040);
  }

  @Test
  void randomBytesAfterTheMagic() throws IOException {
    var random = new Random(7);
    for (int i = 0; i < 500; i++) {
      byte[] bytes = new byte[random.nextInt(24, 4096)];
      random.nextBytes(bytes);
      byte[] counts = GgufBytes.join(new GgufBytes().claim(1, 1).header());
      System.arraycopy(counts, 0, bytes, 0, 24);
      survives(bytes, bytes.length);
    }
  }

  static Stream<Arguments> broken() {
    String spaces = " ".repeat(64);
    byte[] nested = GgufBytes.join(GgufBytes.u32(9), GgufBytes.u64(1));
    byte[][] deep = new byte[1000][];
    Arrays.fill(deep, nested);
    return Stream.of(
        arguments("room for at most", new GgufBytes().claim(1L << 40, 0)),
        arguments("room for at most", new GgufBytes().claim(Long.MIN_VALUE, 0)),
        arguments("room for at most", new GgufBytes().claim(0, 1L << 40)),
        arguments("room for at most", new GgufBytes().claim(0, Long.MIN_VALUE)),
        arguments("version 1 is no longer", new GgufBytes().version(1)),
        arguments("big-endian GGUF of version 3", new GgufBytes().version(0x03000000)),
        arguments("GGUF version 4294967295", new GgufBytes().version(-1)),
        arguments("GGUF version 0", new GgufBytes().version(0)),
        arguments("key of 0 bytes", new GgufBytes().u32("", 1)),
        arguments("key of 70000 bytes", new GgufBytes().u32("k".repeat(70000), 1)),
        arguments("\"a\" appears twice", new GgufBytes().u32("a", 1).u32("a", 2)),
        arguments("unknown value type 13", new GgufBytes().pair("a", 13, new byte[9])),
        arguments("unknown value type -1", new GgufBytes().pair("a", -1, new byte[9])),
        arguments("bool of value 2", new GgufBytes().pair("a", 7, new byte[] {2})),
        arguments("bool of value -1", new GgufBytes().array("a", 7, 2, new byte[] {1, -1})),
        arguments("array of arrays", new GgufBytes().array("a", 9, 1, deep)),
        arguments("unknown value type 99", new GgufBytes().array("a", 99, 1, new byte[9])),
        arguments("claims 1099511627776", new GgufBytes().array("a", 0, 1L << 40, new byte[9])),
        arguments("claims 9223372036854775808", new GgufBytes().array("a", 8, Long.MIN_VALUE)),
        arguments("claims 18446744073709551615", new GgufBytes().array("a", 12, -1)),
        arguments(
            "a string claims 9223372036854775807",
            new GgufBytes().pair("a", 8, GgufBytes.u64(Long.MAX_VALUE))),
        arguments(
            "a string claims 18446744073709551615",
            new GgufBytes().array("a", 8, 1, GgufBytes.u64(-1))),
        arguments("alignment is 0", new GgufBytes().u32("general.alignment", 0)),
        arguments("alignment is 3", new GgufBytes().u32("general.alignment", 3)),
        arguments("alignment is 2147483648", new GgufBytes().u32("general.alignment", 1L << 31)),
        arguments("alignment is of type string", new GgufBytes().text("general.alignment", "32")),
        arguments("alignment is of type bool", new GgufBytes().bool("general.alignment", true)),
        arguments("has 5 dimensions", new GgufBytes().tensor("t", 1, 1, 1, 1, 1)),
        arguments("has a name of 0 bytes", new GgufBytes().tensor("", 1)),
        arguments("has a name of 64 bytes", new GgufBytes().tensor(spaces, 1)),
        arguments("has a zero byte", new GgufBytes().tensor("a\0b", 1)),
        arguments("\"t\" appears twice", new GgufBytes().tensor("t", 1).tensor("t", 1)),
        arguments("dimension 1 of size 0", new GgufBytes().tensor("t", 4, 0)),
        arguments("dimension 0 of size -4", new GgufBytes().line("t", 0, 0, -4)),
        arguments(
            "larger than any file", new GgufBytes().line("t", 0, 0, 1L << 31, 1L << 31, 1 << 10)),
        arguments("larger than any file", new GgufBytes().line("t", 0, 0, Long.MAX_VALUE)),
        arguments("cut short: data of", new GgufBytes().line("t", 0, 0, 1L << 60)),
        arguments("multiples of 256", new GgufBytes().line("t", 12, 0, 128)),
        arguments("multiples of 32", new GgufBytes().line("t", 2, 0)),
        arguments("unknown type 4: q4_2, removed", new GgufBytes().line("t", 4, 0, 32)),
        arguments("unknown type 99", new GgufBytes().line("t", 99, 0, 32)),
        arguments("unknown type -1", new GgufBytes().line("t", -1, 0, 32)),
        arguments("31: q4_0_4_4, repacked", new GgufBytes().line("t", 31, 0, 32)),
        arguments("take the q4_0 file", new GgufBytes().line("t", 33, 0, 32)),
        arguments(
            "36: iq4_nl_4_4 (or i2_s of BitNet's fork)", new GgufBytes().line("t", 36, 0, 32)),
        arguments("take the iq4_nl file", new GgufBytes().line("t", 38, 0, 32)),
        arguments("137: iq2_k of ik_llama.cpp, a fork", new GgufBytes().line("t", 137, 0, 32)),
        arguments("202: of ik_llama.cpp, a fork", new GgufBytes().line("t", 202, 0, 32)),
        arguments("not a multiple of the alignment", new GgufBytes().line("t", 0, 7, 32)),
        arguments("expected 0", new GgufBytes().line("t", 0, 1L << 40, 32)),
        arguments("offset 18446744073709551584", new GgufBytes().line("t", 0, -32, 32)),
        arguments("overlaps the tensor", new GgufBytes().tensor("a", 32).line("b", 0, 0, 32)),
        arguments("where the tensor", new GgufBytes().tensor("a", 32).line("b", 0, 160, 32)),
        arguments("cut short: data of tensor \"b\"", new GgufBytes().line("b", 0, 0, 32)),
        arguments("tensor 2 of 3 (as many as", new GgufBytes().tensor("b", 64).claim(3, 0)));
  }

  @ParameterizedTest
  @MethodSource("broken")
  void brokenFilesAreToldApart(String message, GgufBytes file) {
    byte[] bytes = file.bytes();
    assertThatThrownBy(() -> GgufBytes.read(directory, bytes))
        .isInstanceOfSatisfying(
            GgufException.class, e -> assertThat(e.offset()).isBetween(0L, (long) bytes.length))
        .hasMessageContaining(message)
        .hasMessageMatching(".* \\(byte \\d+\\)");
  }

  @Test
  void namesFromTheFileCannotSpillOverTheLine() {
    var file = new GgufBytes().u32("a\nb\u001b[31m" + "x".repeat(1000), 1);
    file.u32("a\nb\u001b[31m" + "x".repeat(1000), 1);
    assertThatThrownBy(() -> file.read(directory))
        .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(200).doesNotContain("\n"))
        .hasMessageContaining("a\\x0ab\\x1b[31mxxx");
  }

  private static byte[] model() throws IOException {
    return Files.readAllBytes(Path.of("models", "tinyllama-mha-Q4_0.gguf"));
  }

  private static byte[] header(byte[] model) {
    return Arrays.copyOf(model, 10368);
  }

  /** Reads a file of this beginning and size, in little time and memory; 1 when it is sound. */
  private static int survives(byte[] beginning, long size) throws IOException {
    Path path = directory.resolve("hostile.gguf");
    Files.write(path, beginning);
    try (var file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
    }
    long start = System.nanoTime();
    long allocated = THREADS.getCurrentThreadAllocatedBytes();
    int sound = 0;
    try {
      LoadChecks.problems(GgufFile.read(path));
      sound = 1;
    } catch (GgufException e) {
      assertThat(e.getMessage()).isNotBlank().doesNotContain("\n");
    } catch (Throwable e) {
      fail("not a GgufException: %s", e);
    }
    allocated = THREADS.getCurrentThreadAllocatedBytes() - allocated;
    assertThat(allocated).isLessThan(2_000_000 + 30L * beginning.length);
    assertThat(System.nanoTime() - start).isLessThan(SECOND);
    return sound;
  }
}
