package org.modeltracer.llama;

import java.util.List;

/**
 * What a node of a graph computes from its sources.
 *
 * @param code ggml's number of the operation, which differs between generations
 * @param name the operation, such as {@code MUL_MAT}, with unary ones distinguished, such as {@code
 *     TANH}
 * @param params its sixteen 32-bit parameters
 */
public record Operation(int code, String name, List<Integer> params) {
  /** Copies the parameters. */
  public Operation {
    params = List.copyOf(params);
  }
}
