package org.modeltracer.llama;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Element types llama.cpp can keep keys and values in. */
public enum CacheType {
  F32(0),
  F16(1),
  BF16(30),
  Q8_0(8),
  Q4_0(2),
  Q4_1(3),
  IQ4_NL(20),
  Q5_0(6),
  Q5_1(7);

  private final int ggmlType;

  CacheType(int ggmlType) {
    this.ggmlType = ggmlType;
  }

  /** ggml's number, stable in all generations. */
  public int ggmlType() {
    return ggmlType;
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
                        + "' is no cache type; one of "
                        + Arrays.stream(values())
                            .map(CacheType::id)
                            .collect(Collectors.joining(", "))));
  }
}
