package org.modeltracer.attention;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.kernels.Kernels;

/**
 * Output vectors handed in by whoever sees them: mean norms and a sample for CKA.
 *
 * <p>A vector may be a head's mixed values or what it adds to the residual stream, as long as it is
 * the same for all heads. The sample holds all positions up to a number and to a budget of bytes.
 */
final class HeadOutputs {
  private final AttentionOptions options;
  private final double[] normSum;
  private final double[] normSquares;
  private final long[] count;
  private @Nullable QuerySample sample;

  HeadOutputs(int heads, AttentionOptions options) {
    this.options = options;
    normSum = new double[heads];
    normSquares = new double[heads];
    count = new long[heads];
  }

  void add(long prompt, int head, int position, float[] vector, int offset, int length) {
    double squares = Kernels.chosen().squares(vector, offset, length);
    if (squares - squares != 0) {
      return;
    }
    normSum[head] += Math.sqrt(squares);
    normSquares[head] += squares;
    count[head]++;
    if (sample == null) {
      sample = sample(length);
    }
    var slots = sample.slots(prompt, position, -1);
    if (slots != null) {
      slots[head] = Arrays.copyOfRange(vector, offset, offset + length);
    }
  }

  private QuerySample sample(int width) {
    var bounds = options.bounds();
    long fit = bounds.outputBytes() / (4L * count.length * Math.max(1, width));
    return new QuerySample(
        count.length, Math.min(bounds.outputSamples(), fit), query -> 1, options.seed());
  }

  void merge(HeadOutputs other) {
    QuerySample theirs = other.sample;
    if (theirs != null) {
      if (sample == null) {
        sample = theirs.empty();
      }
      sample.merge(theirs);
    }
    for (int i = 0; i < count.length; i++) {
      normSum[i] += other.normSum[i];
      normSquares[i] += other.normSquares[i];
      count[i] += other.count[i];
    }
  }

  /** Norms of a head's output, or null when it has shown none. */
  @Nullable Measure norm(int head) {
    return count[head] == 0 ? null : Measure.of(count[head], normSum[head], normSquares[head]);
  }

  /** Sampled positions with the vectors of all heads. */
  List<SampledQuery> collected() {
    return sample == null ? List.of() : sample.collected();
  }
}
