package org.modeltracer.cli.export;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.cli.NpyArray;
import org.modeltracer.cli.export.NpyFile.Type;

class NpyFileTest {
  @TempDir Path folder;

  @Test
  void rowsInAnyOrderBecomeAnArrayInOrder() throws IOException {
    var random = new Random(7);
    float[][] rows = new float[6][5];
    Path path = folder.resolve("a.npy");
    try (var file = new NpyFile(path, Type.FLOAT32, List.of(2L, 3L, 5L))) {
      for (int r : new int[] {5, 0, 3, 1, 4, 2}) {
        for (int i = 0; i < 5; i++) {
          rows[r][i] = (float) random.nextGaussian();
        }
        // A row may be an array, or lie somewhere in memory.
        if (r % 2 == 0) {
          file.row(r, rows[r]);
        } else {
          float[] shifted = new float[7];
          System.arraycopy(rows[r], 0, shifted, 2, 5);
          file.row(r, MemorySegment.ofArray(shifted), 8);
        }
      }
      assertThat(path).doesNotExist();
      file.complete();
      file.publish();
    }
    NpyArray array = NpyArray.read(path);
    assertThat(array.descr()).isEqualTo("<f4");
    assertThat(array.shape()).containsExactly(2, 3, 5);
    assertThat(array.headerBytes() % 64).as("data begin at a multiple of 64").isZero();
    assertThat(Files.size(path)).isEqualTo(NpyFile.bytes(Type.FLOAT32, List.of(2L, 3L, 5L)));
    for (int r = 0; r < 6; r++) {
      for (int i = 0; i < 5; i++) {
        assertThat(array.at(r / 3, r % 3, i)).isEqualTo(rows[r][i]);
      }
    }
    assertThat(folder).isDirectoryNotContaining("glob:**.part");
  }

  @Test
  void headersOfEveryLengthStayAligned() throws IOException {
    for (long size = 1; size <= 100_000_000; size *= 10) {
      for (List<Long> shape : List.of(List.of(1L, size, 0L), List.of(size, size, 0L))) {
        Path path = folder.resolve("h.npy");
        try (var file = new NpyFile(path, Type.INT32, shape)) {
          assertThat(Files.size(folder.resolve("h.npy.part")) % 64).isZero();
          assertThat(file).isNotNull();
        }
      }
    }
  }

  @Test
  void numpyReadsIt() throws Exception {
    assumeTrue(python("import numpy").equals("0:"), "needs python3 with numpy");
    Path path = folder.resolve("n.npy");
    try (var file = new NpyFile(path, Type.INT32, List.of(3L))) {
      file.row(0, new int[] {1, -2, 3});
      file.complete();
      file.publish();
    }
    String code =
        "import numpy; a = numpy.load(r'%s'); print(a.dtype, a.shape, a.tolist())".formatted(path);
    assertThat(python(code)).isEqualTo("0:int32 (3,) [1, -2, 3]");
  }

  /** Exit code and output of a Python program; the code is -1 where there is no Python. */
  private static String python(String code) throws InterruptedException {
    try {
      Process process =
          new ProcessBuilder("python3", "-c", code)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      String out = new String(process.getInputStream().readAllBytes(), UTF_8).strip();
      return process.waitFor(60, TimeUnit.SECONDS) ? process.exitValue() + ":" + out : "-1:";
    } catch (IOException none) {
      return "-1:";
    }
  }

  @Test
  void anArrayThatLacksRowsIsNotFinished() throws IOException {
    Path path = folder.resolve("b.npy");
    try (var file = new NpyFile(path, Type.FLOAT32, List.of(3L, 2L))) {
      file.row(1, new float[2]);
      assertThatThrownBy(file::complete)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("b.npy got 1 rows, not 3");
      assertThatThrownBy(() -> file.row(3, new float[2]))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
    assertThat(folder).isEmptyDirectory();
  }
}
