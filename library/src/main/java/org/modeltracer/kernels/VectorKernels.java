package org.modeltracer.kernels;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Kernels in vectors as wide as the machine's.
 *
 * <p>Lanes add float32 for so few values that their rounding does not show, then go on in double.
 * Logarithm and exponential are the polynomials of Cephes (Moshier 1989), {@code logf} and {@code
 * expf}, whose relative error is below 2e-7.
 */
final class VectorKernels implements Kernels {
  private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Double> D = DoubleVector.SPECIES_PREFERRED;
  private static final VectorShuffle<Float> REVERSED =
      VectorShuffle.fromOp(F, lane -> F.length() - 1 - lane);
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final int L = F.length();
  private static final int PANEL = 2 * L;

  /** Values after which sums of lanes move on to double. */
  private static final int RUN = 32 * L;

  private static final int INFINITY = 0x7f800000;
  private static final float LEAST = Float.MIN_NORMAL;

  @Override
  public boolean moments(MemorySegment values, long offset, int n, float center, Moments into) {
    FloatVector c = FloatVector.broadcast(F, center);
    FloatVector sum = zero();
    FloatVector squares = zero();
    FloatVector raw = zero();
    FloatVector sum2 = zero();
    FloatVector squares2 = zero();
    FloatVector raw2 = zero();
    IntVector low = IntVector.broadcast(I, Integer.MAX_VALUE);
    IntVector high = IntVector.broadcast(I, Integer.MIN_VALUE);
    int zeros = 0;
    int i = 0;
    for (; i + 2 * L <= n; i += 2 * L) {
      FloatVector x = FloatVector.fromMemorySegment(F, values, offset + 4L * i, ORDER);
      FloatVector y = FloatVector.fromMemorySegment(F, values, offset + 4L * (i + L), ORDER);
      FloatVector d = x.sub(c);
      FloatVector e = y.sub(c);
      sum = sum.add(d);
      sum2 = sum2.add(e);
      squares = d.fma(d, squares);
      squares2 = e.fma(e, squares2);
      raw = x.fma(x, raw);
      raw2 = y.fma(y, raw2);
      IntVector s = ordered(x);
      IntVector t = ordered(y);
      low = low.min(s).min(t);
      high = high.max(s).max(t);
      zeros +=
          x.compare(VectorOperators.EQ, 0f).trueCount()
              + y.compare(VectorOperators.EQ, 0f).trueCount();
    }
    double total = sum.add(sum2).reduceLanes(VectorOperators.ADD);
    double total2 = squares.add(squares2).reduceLanes(VectorOperators.ADD);
    double totalRaw = raw.add(raw2).reduceLanes(VectorOperators.ADD);
    int least = low.reduceLanes(VectorOperators.MIN);
    int most = high.reduceLanes(VectorOperators.MAX);
    for (; i < n; i++) {
      float x = values.get(Layout.FLOAT, offset + 4L * i);
      float d = x - center;
      total += d;
      total2 += (double) d * d;
      totalRaw += (double) x * x;
      int bits = Float.floatToRawIntBits(x);
      int s = bits ^ bits >> 31 >>> 1;
      least = Math.min(least, s);
      most = Math.max(most, s);
      zeros += x == 0 ? 1 : 0;
    }
    into.sum = total;
    into.squares = total2;
    into.raw = totalRaw;
    into.min = Float.intBitsToFloat(least ^ least >> 31 >>> 1);
    into.max = Float.intBitsToFloat(most ^ most >> 31 >>> 1);
    into.zeros = zeros;
    return n == 0 || most < INFINITY && least > (0x80000000 | INFINITY ^ 0x7fffffff);
  }

  /** Integers in the order of the numbers, infinities and NaN at the ends. */
  private static IntVector ordered(FloatVector x) {
    IntVector bits = x.reinterpretAsInts();
    return bits.lanewise(
        VectorOperators.XOR,
        bits.lanewise(VectorOperators.ASHR, 31).lanewise(VectorOperators.LSHR, 1));
  }

  @Override
  public void row(float[] weights, int n, RowSums into) {
    double sum = 0;
    double squares = 0;
    double entropy = 0;
    double moment = 0;
    IntVector most = IntVector.zero(I);
    for (int run = 0; run < n; run += RUN) {
      int end = Math.min(n, run + RUN);
      FloatVector s = zero();
      FloatVector q = zero();
      FloatVector h = zero();
      FloatVector m = zero();
      FloatVector at = zero().addIndex(1);
      for (int i = run; i + L <= end; i += L) {
        FloatVector w = FloatVector.fromArray(F, weights, i);
        s = s.add(w);
        q = w.fma(w, q);
        m = w.fma(at, m);
        h = h.add(information(w));
        at = at.add(L);
        most = most.max(w.reinterpretAsInts());
      }
      double here = s.reduceLanes(VectorOperators.ADD);
      sum += here;
      squares += q.reduceLanes(VectorOperators.ADD);
      moment += m.reduceLanes(VectorOperators.ADD) + run * here;
      entropy -= h.reduceLanes(VectorOperators.ADD);
    }
    float max = Float.intBitsToFloat(most.reduceLanes(VectorOperators.MAX));
    for (int i = F.loopBound(n); i < n; i++) {
      float w = weights[i];
      sum += w;
      squares += (double) w * w;
      moment += (double) w * i;
      entropy -= w >= LEAST ? w * FastLog.log(w) : 0;
      max = w > max ? w : max;
    }
    into.sum = sum;
    into.squares = squares;
    into.entropy = entropy;
    into.moment = moment;
    into.max = max;
    into.argmax = max > 0 ? next(weights, 0, n, max) : -1;
  }

  /** w ln w, 0 where w is not positive. */
  private static FloatVector information(FloatVector w) {
    VectorMask<Float> positive = w.compare(VectorOperators.GE, LEAST);
    FloatVector x = FloatVector.broadcast(F, 1).blend(w, positive);
    IntVector bits = x.reinterpretAsInts();
    IntVector exponent = bits.sub(0x3f3504f3).lanewise(VectorOperators.ASHR, 23);
    FloatVector e = (FloatVector) exponent.convert(VectorOperators.I2F, 0);
    FloatVector m =
        bits.sub(exponent.lanewise(VectorOperators.LSHL, 23)).reinterpretAsFloats().sub(1);
    FloatVector z = m.mul(m);
    FloatVector p = FloatVector.broadcast(F, 0.070376836f);
    p = p.fma(m, c(-0.1151461f));
    p = p.fma(m, c(0.116769984f));
    p = p.fma(m, c(-0.12420141f));
    p = p.fma(m, c(0.14249323f));
    p = p.fma(m, c(-0.16668057f));
    p = p.fma(m, c(0.20000714f));
    p = p.fma(m, c(-0.24999994f));
    p = p.fma(m, c(0.3333333f));
    FloatVector y = p.mul(m).mul(z);
    y = e.fma(c(-2.1219444E-4f), y);
    y = z.fma(c(-0.5f), y);
    FloatVector log = e.fma(c(0.6933594f), m.add(y));
    return w.mul(log);
  }

  // Not a constant: vectors that loops begin with must be made where they are used, or stay
  // objects.
  private static FloatVector zero() {
    return FloatVector.zero(F);
  }

  private static FloatVector c(float constant) {
    return FloatVector.broadcast(F, constant);
  }

  @Override
  public double sum(float[] weights, int from, int to) {
    double sum = 0;
    for (int run = from; run < to; run += RUN) {
      int end = Math.min(to, run + RUN);
      FloatVector s = zero();
      int i = run;
      for (; i + L <= end; i += L) {
        s = s.add(FloatVector.fromArray(F, weights, i));
      }
      sum += s.reduceLanes(VectorOperators.ADD);
      for (; i < end; i++) {
        sum += weights[i];
      }
    }
    return sum;
  }

  @Override
  public double squares(float[] values, int from, int n) {
    double sum = 0;
    int to = from + n;
    for (int run = from; run < to; run += RUN) {
      int end = Math.min(to, run + RUN);
      FloatVector s = zero();
      int i = run;
      for (; i + L <= end; i += L) {
        FloatVector v = FloatVector.fromArray(F, values, i);
        s = v.fma(v, s);
      }
      sum += s.reduceLanes(VectorOperators.ADD);
      for (; i < end; i++) {
        sum += (double) values[i] * values[i];
      }
    }
    return sum;
  }

  @Override
  public void addReversed(float[] values, int n, double[] target, int at) {
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector v = FloatVector.fromArray(F, values, i).rearrange(REVERSED);
      half(v, 0, target, at - i - L + 1);
      half(v, 1, target, at - i - L + 1 + D.length());
    }
    for (; i < n; i++) {
      target[at - i] += values[i];
    }
  }

  @Override
  public void lead(float[] values, int n, float[] largest, int[] leaders, int at, int owner) {
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector v = FloatVector.fromArray(F, values, i);
      FloatVector most = FloatVector.fromArray(F, largest, at + i);
      VectorMask<Float> leads = v.compare(VectorOperators.GT, most);
      most.blend(v, leads).intoArray(largest, at + i);
      IntVector.fromArray(I, leaders, at + i)
          .blend(owner, leads.cast(I))
          .intoArray(leaders, at + i);
    }
    for (; i < n; i++) {
      if (values[i] > largest[at + i]) {
        largest[at + i] = values[i];
        leaders[at + i] = owner;
      }
    }
  }

  @Override
  public int below(float[] weights, int n, float limit) {
    int count = 0;
    int i = 0;
    for (; i + L <= n; i += L) {
      count += FloatVector.fromArray(F, weights, i).compare(VectorOperators.LT, limit).trueCount();
    }
    for (; i < n; i++) {
      count += weights[i] < limit ? 1 : 0;
    }
    return count;
  }

  @Override
  public double mass(float[] weights, int n, float least) {
    double sum = 0;
    for (int run = 0; run < n; run += RUN) {
      int end = Math.min(n, run + RUN);
      FloatVector s = zero();
      int i = run;
      for (; i + L <= end; i += L) {
        FloatVector w = FloatVector.fromArray(F, weights, i);
        s = s.add(w, w.compare(VectorOperators.GE, least));
      }
      sum += s.reduceLanes(VectorOperators.ADD);
      for (; i < end; i++) {
        sum += weights[i] >= least ? weights[i] : 0;
      }
    }
    return sum;
  }

  @Override
  public int next(float[] weights, int from, int n, float limit) {
    int i = from;
    for (; i + L <= n; i += L) {
      VectorMask<Float> found =
          FloatVector.fromArray(F, weights, i).compare(VectorOperators.GE, limit);
      if (found.anyTrue()) {
        return i + found.firstTrue();
      }
    }
    while (i < n && !(weights[i] >= limit)) {
      i++;
    }
    return i;
  }

  @Override
  public void add(float[] values, int n, double[] target, int at) {
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector v = FloatVector.fromArray(F, values, i);
      half(v, 0, target, at + i);
      half(v, 1, target, at + i + D.length());
    }
    for (; i < n; i++) {
      target[at + i] += values[i];
    }
  }

  private static void half(FloatVector values, int part, double[] target, int at) {
    var half = (DoubleVector) values.convertShape(VectorOperators.F2D, D, part);
    DoubleVector.fromArray(D, target, at).add(half).intoArray(target, at);
  }

  @Override
  public void add(float[] values, int from, int n, float[] target, int at) {
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector sum =
          FloatVector.fromArray(F, target, at + i).add(FloatVector.fromArray(F, values, from + i));
      sum.intoArray(target, at + i);
    }
    for (; i < n; i++) {
      target[at + i] += values[from + i];
    }
  }

  @Override
  public void softmax(float[] line, int n, float scale, float sink) {
    FloatVector most = FloatVector.broadcast(F, sink);
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector s = FloatVector.fromArray(F, line, i).mul(scale);
      most = most.blend(s, s.compare(VectorOperators.GT, most));
    }
    float max = most.reduceLanes(VectorOperators.MAX);
    for (; i < n; i++) {
      float s = line[i] * scale;
      max = s > max ? s : max;
    }
    double sum = Math.exp((double) sink - max);
    for (int run = 0; run < n; run += RUN) {
      int end = Math.min(n, run + RUN);
      FloatVector total = zero();
      for (i = run; i + L <= end; i += L) {
        FloatVector e = exp(FloatVector.fromArray(F, line, i).fma(c(scale), c(-max)));
        e.intoArray(line, i);
        total = total.add(e);
      }
      sum += total.reduceLanes(VectorOperators.ADD);
    }
    for (i = F.loopBound(n); i < n; i++) {
      line[i] = exp(Math.fma(line[i], scale, -max));
      sum += line[i];
    }
    float share = (float) (1 / sum);
    for (i = 0; i < n; i++) {
      line[i] *= share;
    }
  }

  /** e^x for x of at most 0; 0 below the smallest normal number. */
  private static FloatVector exp(FloatVector x) {
    VectorMask<Float> vanishing = x.compare(VectorOperators.LT, -87.33f);
    FloatVector shifted = x.fma(c(1.442695f), c(12582912f));
    FloatVector n = shifted.sub(12582912f);
    FloatVector r = n.fma(c(-0.6933594f), x);
    r = n.fma(c(2.1219444E-4f), r);
    FloatVector p = FloatVector.broadcast(F, 1.9875691E-4f);
    p = p.fma(r, c(0.0013981999f));
    p = p.fma(r, c(0.008333452f));
    p = p.fma(r, c(0.041665796f));
    p = p.fma(r, c(0.16666666f));
    p = p.fma(r, c(0.5f));
    FloatVector y = p.fma(r.mul(r), r).add(1);
    IntVector scaled =
        y.reinterpretAsInts().add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23));
    return scaled.reinterpretAsFloats().blend(0f, vanishing);
  }

  /** The same of one number. */
  private static float exp(float x) {
    if (x < -87.33f) {
      return 0;
    }
    float shifted = Math.fma(x, 1.442695f, 12582912f);
    float n = shifted - 12582912f;
    float r = Math.fma(n, 2.1219444E-4f, Math.fma(n, -0.6933594f, x));
    float p = Math.fma(1.9875691E-4f, r, 0.0013981999f);
    p = Math.fma(p, r, 0.008333452f);
    p = Math.fma(p, r, 0.041665796f);
    p = Math.fma(p, r, 0.16666666f);
    p = Math.fma(p, r, 0.5f);
    float y = Math.fma(p, r * r, r) + 1;
    return Float.intBitsToFloat(
        Float.floatToRawIntBits(y) + (Float.floatToRawIntBits(shifted) << 23));
  }

  @Override
  public void products(
      float[] few,
      int rows,
      int width,
      MemorySegment many,
      long at,
      long stride,
      int from,
      int to,
      float[] into,
      int room) {
    for (int i = from; i < to; i++) {
      long vector = 4 * (at + i * stride);
      int r = 0;
      for (; r + 4 <= rows; r += 4) {
        four(few, r * width, width, many, vector, into, r * room + i, room);
      }
      for (; r < rows; r++) {
        into[r * room + i] = one(few, r * width, width, many, vector);
      }
    }
  }

  private static void four(
      float[] few,
      int q,
      int width,
      MemorySegment many,
      long vector,
      float[] into,
      int out,
      int room) {
    FloatVector a = zero();
    FloatVector b = zero();
    FloatVector c = zero();
    FloatVector e = zero();
    int d = 0;
    for (; d + L <= width; d += L) {
      FloatVector k = FloatVector.fromMemorySegment(F, many, vector + 4L * d, ORDER);
      a = k.fma(FloatVector.fromArray(F, few, q + d), a);
      b = k.fma(FloatVector.fromArray(F, few, q + width + d), b);
      c = k.fma(FloatVector.fromArray(F, few, q + 2 * width + d), c);
      e = k.fma(FloatVector.fromArray(F, few, q + 3 * width + d), e);
    }
    float sa = a.reduceLanes(VectorOperators.ADD);
    float sb = b.reduceLanes(VectorOperators.ADD);
    float sc = c.reduceLanes(VectorOperators.ADD);
    float se = e.reduceLanes(VectorOperators.ADD);
    for (; d < width; d++) {
      float k = many.get(Layout.FLOAT, vector + 4L * d);
      sa += k * few[q + d];
      sb += k * few[q + width + d];
      sc += k * few[q + 2 * width + d];
      se += k * few[q + 3 * width + d];
    }
    into[out] = sa;
    into[out + room] = sb;
    into[out + 2 * room] = sc;
    into[out + 3 * room] = se;
  }

  private static float one(float[] few, int q, int width, MemorySegment many, long vector) {
    FloatVector a = zero();
    int d = 0;
    for (; d + L <= width; d += L) {
      FloatVector k = FloatVector.fromMemorySegment(F, many, vector + 4L * d, ORDER);
      a = k.fma(FloatVector.fromArray(F, few, q + d), a);
    }
    float sum = a.reduceLanes(VectorOperators.ADD);
    for (; d < width; d++) {
      sum += many.get(Layout.FLOAT, vector + 4L * d) * few[q + d];
    }
    return sum;
  }

  @Override
  public int panel() {
    return PANEL;
  }

  @Override
  public void panelProducts(
      float[] few, int rows, int width, float[] panels, int from, int to, float[] into, int room) {
    for (int first = from; first < to; first += PANEL) {
      int r = 0;
      for (; r + 4 <= rows; r += 4) {
        tile(few, r * width, width, panels, first * width, into, r * room + first, room);
      }
      for (; r < rows; r++) {
        line(few, r * width, width, panels, first * width, into, r * room + first);
      }
    }
  }

  private static void tile(
      float[] few, int q, int width, float[] panel, int at, float[] into, int out, int room) {
    FloatVector a0 = zero();
    FloatVector a1 = zero();
    FloatVector b0 = zero();
    FloatVector b1 = zero();
    FloatVector c0 = zero();
    FloatVector c1 = zero();
    FloatVector e0 = zero();
    FloatVector e1 = zero();
    for (int d = 0; d < width; d++) {
      FloatVector k0 = FloatVector.fromArray(F, panel, at + d * PANEL);
      FloatVector k1 = FloatVector.fromArray(F, panel, at + d * PANEL + L);
      FloatVector x = FloatVector.broadcast(F, few[q + d]);
      a0 = x.fma(k0, a0);
      a1 = x.fma(k1, a1);
      x = FloatVector.broadcast(F, few[q + width + d]);
      b0 = x.fma(k0, b0);
      b1 = x.fma(k1, b1);
      x = FloatVector.broadcast(F, few[q + 2 * width + d]);
      c0 = x.fma(k0, c0);
      c1 = x.fma(k1, c1);
      x = FloatVector.broadcast(F, few[q + 3 * width + d]);
      e0 = x.fma(k0, e0);
      e1 = x.fma(k1, e1);
    }
    a0.intoArray(into, out);
    a1.intoArray(into, out + L);
    b0.intoArray(into, out + room);
    b1.intoArray(into, out + room + L);
    c0.intoArray(into, out + 2 * room);
    c1.intoArray(into, out + 2 * room + L);
    e0.intoArray(into, out + 3 * room);
    e1.intoArray(into, out + 3 * room + L);
  }

  private static void line(
      float[] few, int q, int width, float[] panel, int at, float[] into, int out) {
    FloatVector a = zero();
    FloatVector b = zero();
    for (int d = 0; d < width; d++) {
      FloatVector x = FloatVector.broadcast(F, few[q + d]);
      a = x.fma(FloatVector.fromArray(F, panel, at + d * PANEL), a);
      b = x.fma(FloatVector.fromArray(F, panel, at + d * PANEL + L), b);
    }
    a.intoArray(into, out);
    b.intoArray(into, out + L);
  }

  @Override
  public void combine(
      float[] weights,
      int rows,
      int room,
      float[][] vectors,
      int from,
      int to,
      int column,
      float[] into) {
    int r = 0;
    for (; r + 4 <= rows; r += 4) {
      combineFour(weights, r * room, room, vectors, from, to, column, into);
    }
    for (; r < rows; r++) {
      combineOne(weights, r * room, vectors, from, to, column, into);
    }
  }

  private static void combineFour(
      float[] weights,
      int row,
      int room,
      float[][] vectors,
      int from,
      int to,
      int column,
      float[] into) {
    FloatVector a0 = zero();
    FloatVector a1 = zero();
    FloatVector b0 = zero();
    FloatVector b1 = zero();
    FloatVector c0 = zero();
    FloatVector c1 = zero();
    FloatVector e0 = zero();
    FloatVector e1 = zero();
    for (int j = from; j < to; j++) {
      float[] vector = vectors[j];
      FloatVector k0 = FloatVector.fromArray(F, vector, column);
      FloatVector k1 = FloatVector.fromArray(F, vector, column + L);
      FloatVector x = FloatVector.broadcast(F, weights[row + j]);
      a0 = x.fma(k0, a0);
      a1 = x.fma(k1, a1);
      x = FloatVector.broadcast(F, weights[row + room + j]);
      b0 = x.fma(k0, b0);
      b1 = x.fma(k1, b1);
      x = FloatVector.broadcast(F, weights[row + 2 * room + j]);
      c0 = x.fma(k0, c0);
      c1 = x.fma(k1, c1);
      x = FloatVector.broadcast(F, weights[row + 3 * room + j]);
      e0 = x.fma(k0, e0);
      e1 = x.fma(k1, e1);
    }
    int out = row + column;
    a0.intoArray(into, out);
    a1.intoArray(into, out + L);
    b0.intoArray(into, out + room);
    b1.intoArray(into, out + room + L);
    c0.intoArray(into, out + 2 * room);
    c1.intoArray(into, out + 2 * room + L);
    e0.intoArray(into, out + 3 * room);
    e1.intoArray(into, out + 3 * room + L);
  }

  private static void combineOne(
      float[] weights, int row, float[][] vectors, int from, int to, int column, float[] into) {
    FloatVector a = zero();
    FloatVector b = zero();
    for (int j = from; j < to; j++) {
      float[] vector = vectors[j];
      FloatVector x = FloatVector.broadcast(F, weights[row + j]);
      a = x.fma(FloatVector.fromArray(F, vector, column), a);
      b = x.fma(FloatVector.fromArray(F, vector, column + L), b);
    }
    a.intoArray(into, row + column);
    b.intoArray(into, row + column + L);
  }
}
