package org.modeltracer.llama;

import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** Forward passes as tests write them down, and what they compare. */
final class Passes {
  /** A model whose every fact is known: 4 layers, 4 heads, context 256, vocabulary 384. */
  static final String MHA = "tinyllama-mha-f32.gguf";

  /** Settings under which llama.cpp agrees with PyTorch: F32 cache, plain attention, a thread. */
  static final ContextOptions EXACT =
      ContextOptions.defaults()
          .withContextTokens(256)
          .withFlashAttention(FlashAttention.OFF)
          .withCacheTypes(CacheType.F32, CacheType.F32);

  private Passes() {}

  /** Fills the batch with tokens of sequence 0, every one with logits. */
  static Batch fill(LlamaContext context, int[] ids, int firstPosition) {
    Batch batch = context.batch().clear();
    for (int i = 0; i < ids.length; i++) {
      batch.add(ids[i], firstPosition + i, 0, true);
    }
    return batch;
  }

  /** Logits {@code [token][vocabulary]} of tokens decoded in one batch. */
  static float[][] decode(LlamaContext context, int[] ids, int firstPosition) {
    context.decode(fill(context, ids, firstPosition));
    return rows(context, ids.length);
  }

  /** Logits of the first rows of the last batch. */
  static float[][] rows(LlamaContext context, int count) {
    float[][] rows = new float[count][];
    for (int i = 0; i < count; i++) {
      rows[i] = context.logits(i).toArray(ValueLayout.JAVA_FLOAT);
    }
    return rows;
  }

  /** Logits of the last token, from an empty cache. */
  static float[] fresh(LlamaContext context, int... ids) {
    context.cache().clear();
    return decode(context, ids, 0)[ids.length - 1];
  }

  /** Largest absolute difference; infinite where only one of the two is finite. */
  static double distance(float[] a, float[] b) {
    double worst = a.length == b.length ? 0 : Double.POSITIVE_INFINITY;
    for (int i = 0; i < Math.min(a.length, b.length); i++) {
      double d = Math.abs((double) a[i] - b[i]);
      worst = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(worst, d);
    }
    return worst;
  }

  static double distance(float[][] a, float[][] b) {
    double worst = a.length == b.length ? 0 : Double.POSITIVE_INFINITY;
    for (int i = 0; i < Math.min(a.length, b.length); i++) {
      worst = Math.max(worst, distance(a[i], b[i]));
    }
    return worst;
  }

  static int argmax(float[] row) {
    int best = 0;
    for (int i = 1; i < row.length; i++) {
      best = row[i] > row[best] ? i : best;
    }
    return best;
  }

  static int[] slice(int[] ids, int from, int to) {
    return Arrays.copyOfRange(ids, from, to);
  }
}
