package org.modeltracer.gguf;

import static java.util.stream.Collectors.joining;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** In which number formats a file keeps its weights. */
public final class Quantization {
  /** Names of {@code general.file_type} by its number, as in llama.h's {@code llama_ftype}. */
  private static final String[] FILE_TYPES =
      """
      F32 F16 Q4_0 Q4_1 - - - Q8_0 Q5_0 Q5_1 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M \
      Q6_K IQ2_XXS IQ2_XS Q2_K_S IQ3_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ3_M IQ2_S IQ2_M IQ4_XS IQ1_M \
      BF16 - - - TQ1_0 TQ2_0 MXFP4_MOE NVFP4 Q1_0 Q2_0\
      """
          .split(" ");

  private Quantization() {}

  /**
   * What the file says it is, and what its matrices are, the most frequent type first: {@code
   * Q4_K_M: 24 q4_K, 5 q6_K}. A file that names no type, or an unknown one, is only counted; one
   * without matrices has its name, or nothing.
   */
  public static String of(GgufFile file) {
    Map<GgmlType, Long> matrices =
        file.tensors().stream()
            .filter(Quantization::isMatrix)
            .collect(
                Collectors.groupingBy(TensorInfo::type, LinkedHashMap::new, Collectors.counting()));
    String mix =
        matrices.entrySet().stream()
            .sorted(Map.Entry.comparingByValue(Comparator.reverseOrder()))
            .map(e -> e.getValue() + " " + e.getKey().ggmlName())
            .collect(joining(", "));
    return Stream.of(name(file), mix).filter(s -> !s.isEmpty()).collect(joining(": "));
  }

  private static boolean isMatrix(TensorInfo tensor) {
    return tensor.dimension(1) > 1;
  }

  private static String name(GgufFile file) {
    long type = file.metadata().integer("general.file_type").orElse(-1);
    String name = type >= 0 && type < FILE_TYPES.length ? FILE_TYPES[(int) type] : "-";
    return name.equals("-") ? "" : name;
  }
}
