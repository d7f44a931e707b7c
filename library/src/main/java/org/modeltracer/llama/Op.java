package org.modeltracer.llama;

/**
 * An operation of ggml that means something here.
 *
 * <p>ggml numbers its operations anew in every generation and names them alike in all: numbers are
 * resolved to these once per library. The name of an {@link #OTHER} operation is in {@link
 * Tensor#opName()}.
 */
public enum Op {
  ADD,
  CLAMP,
  CONCAT,
  CONT,
  CPY,
  DIAG_MASK_INF,
  DIV,
  DUP,
  FILL,
  FLASH_ATTN_EXT,
  GET_ROWS,
  GLU,
  LIGHTNING_INDEXER,
  L2_NORM,
  LOG,
  MUL,
  MUL_MAT,
  MUL_MAT_ID,
  /** Of a leaf: nothing is computed. */
  NONE,
  NORM,
  PERMUTE,
  RESHAPE,
  RMS_NORM,
  ROPE,
  SCALE,
  SET_ROWS,
  SOFT_MAX,
  SQR,
  SQRT,
  SUB,
  SUM_ROWS,
  TOP_K,
  TRANSPOSE,
  UNARY,
  VIEW,
  /** Any other. */
  OTHER;

  static Op named(String name) {
    for (Op op : values()) {
      if (op.name().equals(name)) {
        return op;
      }
    }
    return OTHER;
  }
}
