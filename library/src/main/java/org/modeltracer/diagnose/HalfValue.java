package org.modeltracer.diagnose;

import static org.modeltracer.diagnose.Gpu.CUDA;
import static org.modeltracer.diagnose.Gpu.METAL;
import static org.modeltracer.diagnose.Gpu.VULKAN;
import static org.modeltracer.gguf.GgmlType.BF16;
import static org.modeltracer.gguf.GgmlType.F16;
import static org.modeltracer.gguf.GgmlType.IQ1_S;
import static org.modeltracer.gguf.GgmlType.Q2_K;
import static org.modeltracer.gguf.GgmlType.Q4_0;
import static org.modeltracer.gguf.GgmlType.Q4_1;
import static org.modeltracer.gguf.GgmlType.Q4_K;
import static org.modeltracer.gguf.GgmlType.Q5_0;
import static org.modeltracer.gguf.GgmlType.Q5_1;
import static org.modeltracer.gguf.GgmlType.Q5_K;

import java.util.EnumSet;
import java.util.Set;
import org.modeltracer.gguf.GgmlType;

/**
 * A number that arises in a matrix product and that some backend keeps in F16, where a CPU keeps it
 * in F32.
 *
 * <p>Read from llama.cpp v0.5.0: {@code ggml-cuda/quantize.cu}, {@code mmq.cuh}, {@code
 * vecdotq.cuh} and {@code ggml_cuda_mul_mat_cublas}; {@code quantize_q8_1.comp}, {@code
 * mul_mmq_funcs.glsl}, {@code mul_mat_vecq_funcs.glsl} and {@code ggml_vk_get_mul_mat_mat_f16acc};
 * {@code ggml-metal/kernels/mul_mm.metal}.
 */
public enum HalfValue {
  /**
   * The sum of 32 activations, in a block of q8_1: weights that have a minimum or are not centred
   * are multiplied with it.
   */
  BLOCK_SUM("a sum of 32 activations") {
    @Override
    Set<Gpu> keeps(ProductRange product) {
      return SUMMED.contains(product.type()) ? EnumSet.of(CUDA, VULKAN) : Set.of();
    }

    @Override
    public double largest(ProductRange product) {
      return product.blockSum();
    }
  },
  /** The sum of 16 activations, for weights with a minimum for each 16. */
  HALF_BLOCK_SUM("a sum of 16 activations") {
    @Override
    Set<Gpu> keeps(ProductRange product) {
      return product.type() == Q2_K ? EnumSet.of(CUDA) : Set.of();
    }

    @Override
    public double largest(ProductRange product) {
      return product.halfBlockSum();
    }
  },
  /** The scale of a block of q8_1: its largest activation over 127. */
  BLOCK_SCALE("the scale of 32 activations") {
    @Override
    Set<Gpu> keeps(ProductRange product) {
      return product.type().quantized() ? EnumSet.of(CUDA, VULKAN) : Set.of();
    }

    @Override
    public double largest(ProductRange product) {
      return product.activation() / 127;
    }
  },
  /**
   * An activation. Vulkan multiplies quantized weights so where it has no integer products; Metal
   * scales the activations of experts to fit.
   */
  ACTIVATION("an activation") {
    @Override
    Set<Gpu> keeps(ProductRange product) {
      Set<Gpu> all = EnumSet.noneOf(Gpu.class);
      if (product.type() == F16) {
        all.add(CUDA);
      }
      if (product.type() == F16 || product.type().quantized()) {
        all.add(VULKAN);
      }
      if (product.type() != BF16 && !product.experts()) {
        all.add(METAL);
      }
      return all;
    }

    @Override
    public double largest(ProductRange product) {
      return product.activation();
    }
  },
  /** A number of the product, added up in F16 unless the graph asks for F32. */
  RESULT("a number of the product") {
    @Override
    Set<Gpu> keeps(ProductRange product) {
      return addingInHalf(product);
    }

    @Override
    public double largest(ProductRange product) {
      return product.result();
    }
  },
  /** A sum on the way to a number of the product: what leaves F16 there does not come back. */
  PARTIAL("a partial sum of the product") {
    @Override
    Set<Gpu> keeps(ProductRange product) {
      return addingInHalf(product);
    }

    @Override
    public double largest(ProductRange product) {
      return product.partial();
    }
  };

  private static final Set<GgmlType> SUMMED = EnumSet.of(Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, IQ1_S);

  private final String words;

  HalfValue(String words) {
    this.words = words;
  }

  private static Set<Gpu> addingInHalf(ProductRange product) {
    if (product.exact()) {
      return Set.of();
    }
    return product.type() == F16
        ? EnumSet.of(CUDA, VULKAN)
        : product.type().quantized() ? EnumSet.of(VULKAN) : Set.of();
  }

  /** The backends that keep this number of a product in F16, in some of their kernels at least. */
  abstract Set<Gpu> keeps(ProductRange product);

  /** The largest magnitude of this number that was seen. */
  public abstract double largest(ProductRange product);

  @Override
  public String toString() {
    return words;
  }
}
