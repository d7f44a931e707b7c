package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorType;
import org.modeltracer.model.Site;
import org.modeltracer.probe.NodeValues;

/** What rounding explains of each node of a graph, told while the node's inputs are intact. */
final class NodeArithmetic implements AutoCloseable {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final Set<Op> MOVES =
      EnumSet.of(Op.CONT, Op.CPY, Op.DUP, Op.PERMUTE, Op.RESHAPE, Op.TRANSPOSE, Op.VIEW, Op.CONCAT);
  private static final Set<Op> SIMPLE =
      EnumSet.of(
          Op.ADD,
          Op.CLAMP,
          Op.DIV,
          Op.L2_NORM,
          Op.LOG,
          Op.MUL,
          Op.NORM,
          Op.RMS_NORM,
          Op.SCALE,
          Op.SQR,
          Op.SQRT,
          Op.SUB);
  private static final Set<Op> FUNCTIONS = EnumSet.of(Op.GLU, Op.UNARY);

  /** Steps from a product to the {@code .scale} tensor that it is multiplied with. */
  private static final int DEPTH = 4;

  /** Of operations that are not known in detail, whose numbers may cancel on the way. */
  private static final double UNKNOWN = 1e-2;

  private final Precision precision;
  private final ProductArithmetic products;
  private final AttentionArithmetic attention;
  private final TensorData data;
  private final LlamaRuntime runtime;

  NodeArithmetic(LlamaRuntime runtime, GgufFile file, Precision precision) {
    this.precision = precision;
    this.runtime = runtime;
    products = new ProductArithmetic(runtime, file, precision);
    attention = new AttentionArithmetic(runtime, precision);
    data = new TensorData(runtime, false);
  }

  /** What is explained of a node that the reference has just computed. */
  Explained of(NodeValues values) {
    Explained own = known(values);
    return own != null ? own : share(values, UNKNOWN, false);
  }

  private @Nullable Explained known(NodeValues values) {
    Op op = values.tensor().op();
    Site site = values.node().place().site();
    if (site == Site.ATTENTION) {
      return attention.weights(values);
    }
    if (site == Site.CONTEXT) {
      return attention.context(values);
    }
    if (isProduct(op)) {
      return products.of(values);
    }
    if (op == Op.GET_ROWS) {
      return share(values, precision.weight() + precision.few(), false);
    }
    if (op == Op.ROPE) {
      // The angle is the position times a frequency, rounded.
      int last = values.firstPosition() + values.rows();
      return share(values, precision.few() * (1 + last / 4.0), false);
    }
    if (MOVES.contains(op)) {
      return share(values, precision.few(), false);
    }
    if (op == Op.MUL && isScale(values.tensor().source(1))) {
      return scaled(values);
    }
    if (SIMPLE.contains(op)) {
      return share(values, precision.few(), true);
    }
    return FUNCTIONS.contains(op) ? function(values) : null;
  }

  /**
   * Of a function of each number, times another where it is a gate, that may be looked up in F16:
   * the rounding of {@code x} moves {@code f(x)} by {@code x f'/f ≤ 1 + |x| + x²} times as much of
   * itself, in all of SiLU, GELU, sigmoid, softplus and the exponential.
   */
  private Explained function(NodeValues values) {
    int width = values.width();
    var error = new double[values.rows()];
    MemorySegment x = input(values, 0);
    for (int row = 0; row < error.length; row++) {
      double squares = 0;
      for (long at = 4L * row * width; at < 4L * (row + 1) * width; at += 4) {
        double own = values.values().get(FLOAT, at);
        double argument = x == null ? 0 : Math.abs(x.get(FLOAT, at));
        double moved = own * (1 + argument + argument * argument);
        squares += Double.isFinite(moved) ? moved * moved : 0;
      }
      error[row] = precision.function() * Math.sqrt(squares);
    }
    MemorySegment gated = values.tensor().op() == Op.GLU ? input(values, 1) : null;
    for (int row = 0; row < error.length; row++) {
      double factor = gated == null ? Math.sqrt(width) : norm(gated, 4L * row * width, width);
      error[row] += Precision.HALF_STEP * factor;
    }
    return new Explained(error, List.of());
  }

  private static boolean isProduct(Op op) {
    return op == Op.MUL_MAT || op == Op.MUL_MAT_ID;
  }

  /**
   * Whether these are the values of a {@code .scale} tensor, perhaps one for each expert chosen.
   */
  private boolean isScale(long address) {
    Tensor t = new Tensor(runtime).at(address);
    for (int step = 0; step < DEPTH && t.source(0) != 0; step++) {
      t.at(t.source(0));
    }
    return t.name().endsWith(".scale");
  }

  /**
   * Of a product after the scale that is a tensor of its own: only then is it judged, so that what
   * rounding made of it shows here.
   */
  private @Nullable Explained scaled(NodeValues values) {
    Tensor product = new Tensor(runtime).at(values.tensor().source(0));
    for (int step = 0; step < DEPTH && !isProduct(product.op()); step++) {
      if (product.source(0) == 0) {
        return null;
      }
      product.at(product.source(0));
    }
    double[] error = isProduct(product.op()) ? products.errors(product, values.rows()) : null;
    if (error == null) {
      return null;
    }
    int width = values.width();
    // One number for all, or one for each expert of each row.
    MemorySegment scale = data.open(new Tensor(runtime).at(values.tensor().source(1)));
    int scales = (int) (scale.byteSize() / 4);
    int each = Math.ceilDiv(scales, error.length);
    for (int row = 0; row < error.length; row++) {
      double norm = norm(scale, 4L * (row * each % scales), each);
      error[row] *= norm / Math.sqrt(each);
      error[row] += precision.few() * norm(values.values(), 4L * row * width, width);
    }
    return new Explained(error, List.of());
  }

  /** A share of each row's norm, and where numbers may cancel, of its inputs'. */
  private Explained share(NodeValues values, double unit, boolean inputs) {
    int width = values.width();
    var error = new double[values.rows()];
    for (int row = 0; row < error.length; row++) {
      error[row] = unit * norm(values.values(), 4L * row * width, width);
    }
    for (int i = 0; inputs && i < 2; i++) {
      add(values, i, unit, error);
    }
    return new Explained(error, List.of());
  }

  /** Adds the share of an input of the same shape that is still there. */
  private void add(NodeValues values, int source, double unit, double[] error) {
    Op op = values.tensor().op();
    MemorySegment x = op == Op.MUL || op == Op.DIV ? null : input(values, source);
    if (x == null) {
      return;
    }
    int width = values.width();
    for (int row = 0; row < error.length; row++) {
      long offset = 4L * row * width;
      error[row] += unit * (normed(op) ? offCentre(x, offset, width) : norm(x, offset, width));
    }
  }

  /** A dense input of the same shape that is still there. */
  private @Nullable MemorySegment input(NodeValues values, int source) {
    Tensor node = values.tensor();
    if (node.source(source) == 0) {
      return null;
    }
    Tensor input = new Tensor(runtime).at(node.source(source));
    return input.data() == node.data()
            || input.type() != TensorType.F32
            || !input.isContiguous()
            || input.elements() != (long) values.rows() * values.width()
        ? null
        : data.open(input);
  }

  private static boolean normed(Op op) {
    return op == Op.NORM || op == Op.RMS_NORM || op == Op.L2_NORM;
  }

  /** How far numbers lie from 0 for their spread, times the root of their number. */
  private static double offCentre(MemorySegment x, long offset, int n) {
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < n; i++) {
      double v = x.get(FLOAT, offset + 4L * i);
      sum += v;
      squares += v * v;
    }
    double spread = squares / n - sum / n * sum / n;
    return spread <= 0 ? 0 : Math.sqrt(squares / spread);
  }

  /** Of what is finite: a mask is not. */
  private static double norm(MemorySegment x, long offset, int n) {
    double squares = 0;
    for (int i = 0; i < n; i++) {
      double v = x.get(FLOAT, offset + 4L * i);
      squares += Double.isFinite(v) ? v * v : 0;
    }
    return Math.sqrt(squares);
  }

  @Override
  public void close() {
    products.close();
    attention.close();
    data.close();
  }
}
