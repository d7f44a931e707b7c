package org.modeltracer.diagnose;

import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.ActivationRules;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.TensorType;

/** Which finite inputs an operation cannot hold in the numbers it computes with. */
final class Overflow {
  /** Magnitude from which the square of a value, or its product with another, may leave F32. */
  private static final double LARGE = 1e15;

  private static final Set<GgmlType> TIMES_Q8_0 =
      Set.of(
          GgmlType.Q4_0,
          GgmlType.Q5_0,
          GgmlType.Q8_0,
          GgmlType.Q1_0,
          GgmlType.IQ4_NL,
          GgmlType.MXFP4,
          GgmlType.NVFP4);
  private static final int CODES_OF_Q8 = 127;

  private Overflow() {}

  /** Says what became infinite when it was turned into F16, or null. */
  static @Nullable String toHalf(BadNode bad) {
    GraphNode node = bad.node();
    double limit = ActivationRules.F16_MAX;
    return switch (node.op()) {
      case SET_ROWS, CPY, CONT, DUP -> {
        BadNode.Input from = bad.inputs().getFirst();
        yield node.type() == TensorType.F16 && from.absMax() > limit
            ? (node.isMemory() ? "the write into an F16 cache" : "the conversion to F16")
                + says(from, limit)
            : null;
      }
      case MUL_MAT, MUL_MAT_ID, FLASH_ATTN_EXT -> {
        boolean fused = node.is(Op.FLASH_ATTN_EXT);
        GraphNode halves = node.sources().get(fused ? 1 : 0);
        BadNode.Input from = bad.inputs().get(fused ? 0 : 1);
        yield halves.type() == TensorType.F16 && from.absMax() > limit
            ? "the product with an F16 tensor" + says(from, limit)
            : null;
      }
      default -> null;
    };
  }

  /** Says what scale or sum of a block of activations does not fit in F16, or null. */
  static @Nullable String ofBlock(BadNode bad) {
    GraphNode node = bad.node();
    double limit = ActivationRules.F16_MAX;
    if (bad.blockSum() > limit) {
      return "a sum over 32 activations is %.4g, which a q8_1 block keeps in F16 (up to %.0f)"
          .formatted(bad.blockSum(), limit);
    }
    boolean product = node.is(Op.MUL_MAT) || node.is(Op.MUL_MAT_ID);
    boolean write = node.is(Op.SET_ROWS) || node.is(Op.CPY);
    if (!product && !write) {
      return null;
    }
    int type = product ? node.sources().getFirst().type() : node.type();
    BadNode.Input from = bad.inputs().get(product ? 1 : 0);
    boolean eights = GgmlType.ofId(type).filter(TIMES_Q8_0::contains).isPresent();
    return eights && from.absMax() / CODES_OF_Q8 > limit
        ? "the scale of a q8_0 block of %s, max |x| %.4g / 127, leaves F16 (up to %.0f)"
            .formatted(from.source().name(), from.absMax(), limit)
        : null;
  }

  /**
   * Says that flash attention, which sums values in F16 where the cache is F16 and divides by the
   * weights' sum only at the end, may have left F16 though no value and no mean does; or null.
   */
  static @Nullable String inFlash(BadNode bad) {
    GraphNode node = bad.node();
    GraphNode cache = node.is(Op.FLASH_ATTN_EXT) ? node.source(2) : null;
    if (cache == null || cache.type() != TensorType.F16) {
      return null;
    }
    double largest = bad.inputs().get(2).absMax();
    long keys = cache.ne().get(1);
    return largest * keys > ActivationRules.F16_MAX
        ? "flash attention sums the values of up to %d keys in F16, max |x| %.4g, F16 ends at %.0f"
            .formatted(keys, largest, ActivationRules.F16_MAX)
        : null;
  }

  private static String says(BadNode.Input from, double limit) {
    return " takes %s with max |x| %.4g, F16 ends at %.0f"
        .formatted(from.source().name(), from.absMax(), limit);
  }

  /** Whether inputs are so large that even F32 may not hold what is computed from them. */
  static boolean ofFloat(BadNode bad) {
    return bad.inputs().stream().anyMatch(s -> s.absMax() > LARGE);
  }
}
