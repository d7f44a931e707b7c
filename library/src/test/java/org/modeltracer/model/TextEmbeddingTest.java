package org.modeltracer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class TextEmbeddingTest {
  private static final float[][] STATES = {{3, 0}, {0, 8}, {-6, 0}};

  /** Positions out of order, as batches may bring them. */
  private static TextEmbedding of(Pooling pooling) {
    var embedding = new TextEmbedding(pooling);
    for (int at : new int[] {1, 2, 0}) {
      embedding.add(at, STATES[at], 2);
    }
    return embedding;
  }

  @Test
  void isOfLengthOneAndPooledAsNamed() {
    assertThat(of(Pooling.CLS).unit()).containsExactly(1, 0);
    assertThat(of(Pooling.LAST).unit()).containsExactly(-1, 0);
    double length = Math.hypot(-3, 8);
    assertThat(of(Pooling.MEAN).unit())
        .containsExactly(new double[] {-3 / length, 8 / length}, within(1e-12));
  }

  @Test
  void cosinesAreOfDirectionsAndNaNWhereThereIsNone() {
    assertThat(of(Pooling.CLS).cosine(of(Pooling.LAST))).isEqualTo(-1);
    assertThat(of(Pooling.CLS).cosine(of(Pooling.MEAN)))
        .isCloseTo(-3 / Math.hypot(3, 8), within(1e-12));
    var nowhere = new TextEmbedding(Pooling.MEAN);
    assertThat(nowhere.isEmpty()).isTrue();
    nowhere.add(0, new float[] {0, 0}, 2);
    assertThat(nowhere.cosine(of(Pooling.CLS))).isNaN();
  }
}
