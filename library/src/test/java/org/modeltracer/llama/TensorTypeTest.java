package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gguf.GgmlType;

/** Element types as a library has them, against those of files. */
class TensorTypeTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";

  /** A file may have types that came after the library, which ends the process when asked. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aLibraryConvertsTheTypesItHasAndIsNotAskedForOthers(LlamaRuntime runtime) {
    assertThat(runtime.converts(GgmlType.Q4_K)).isTrue();
    assertThat(runtime.converts(GgmlType.I32)).isFalse();
    Set<GgmlType> later =
        EnumSet.range(GgmlType.MXFP4, GgmlType.values()[GgmlType.values().length - 1]);
    Set<GgmlType> has = EnumSet.copyOf(later);
    has.removeIf(type -> !runtime.converts(type));
    switch (runtime.generation()) {
      case "b4916 to b4980" -> assertThat(has).isEmpty();
      case "b10361 to v0.5.0" -> assertThat(has).isEqualTo(later);
      default -> assertThat(later).containsAll(has);
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void blocksAreAsLargeAsInFiles(LlamaRuntime runtime) {
    for (GgmlType type : GgmlType.values()) {
      if (runtime.converts(type)) {
        TensorType read = runtime.type(type.id());
        assertThat(read.name()).isEqualTo(type.ggmlName());
        assertThat(read.blockSize()).as(type.name()).isEqualTo(type.blockSize());
        assertThat(read.blockBytes()).as(type.name()).isEqualTo(type.blockBytes());
      }
    }
  }
}
