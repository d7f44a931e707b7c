package org.modeltracer.llama;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.modeltracer.gguf.GgmlType;

/** Element types llama.cpp can keep keys and values in. */
public enum CacheType {
  F32,
  F16,
  BF16,
  Q8_0,
  Q4_0,
  Q4_1,
  IQ4_NL,
  Q5_0,
  Q5_1;

  /** ggml's number, stable in all generations. */
  int ggmlType() {
    return GgmlType.valueOf(name()).id();
  }

  /** Name as on llama.cpp's command line, such as {@code q8_0}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The type of that name.
   *
   * @throws IllegalArgumentException naming the choices
   */
  public static CacheType of(String id) {
    return Arrays.stream(values())
        .filter(t -> t.id().equals(id.toLowerCase(Locale.ROOT)))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "'"
                        + id
                        + "' is not a cache type; choose one of "
                        + Arrays.stream(values())
                            .map(CacheType::id)
                            .collect(Collectors.joining(", "))));
  }
}
