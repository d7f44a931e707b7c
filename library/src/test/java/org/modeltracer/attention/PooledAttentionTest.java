package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.HeadId;

/** Pictures against means over the matrices that they are made of. */
class PooledAttentionTest {
  private static final HeadId ONE = new HeadId(0, 1);
  private static final HeadId TWO = new HeadId(3, 0);

  private static float[][] matrix(int size, Random random) {
    var rows = new float[size][];
    for (int q = 0; q < size; q++) {
      rows[q] = new float[q + 1];
      float sum = 0;
      for (int k = 0; k <= q; k++) {
        sum += rows[q][k] = (float) Math.pow(random.nextDouble(), 8);
      }
      for (int k = 0; k <= q; k++) {
        rows[q][k] /= sum;
      }
    }
    return rows;
  }

  private static double mean(float[][] rows, int pool, int query, int key) {
    double sum = 0;
    int queries = 0;
    for (int q = query * pool; q < Math.min(rows.length, (query + 1) * pool); q++) {
      queries++;
      for (int k = key * pool; k < Math.min(q + 1, (key + 1) * pool); k++) {
        sum += rows[q][k];
      }
    }
    return sum / queries;
  }

  @Test
  void blocksAreMeansHoweverTheyGrew() {
    var random = new Random(11);
    for (int size : new int[] {1, 2, 15, 16, 17, 40, 100, 257}) {
      float[][] one = matrix(size, random);
      float[][] two = matrix(size, random);
      // 16 blocks along a side.
      var pooled = new PooledAttention(2, 2 * 136);
      for (int q = 0; q < size; q++) {
        pooled.row(ONE.layer(), ONE.head(), q, one[q]);
        pooled.row(TWO.layer(), TWO.head(), q, two[q]);
      }
      int pool = pooled.pool();
      assertThat(pooled.positions()).isEqualTo(size);
      assertThat(pooled.side()).isEqualTo((size + pool - 1) / pool).isLessThanOrEqualTo(16);
      assertThat(pool == 1 || size > 16 * pool / 2).isTrue();
      byte[] bytes = pooled.bytes(ONE);
      int cell = 0;
      for (int q = 0; q < pooled.side(); q++) {
        for (int k = 0; k <= q; k++) {
          double expected = mean(one, pool, q, k);
          assertThat(pooled.weight(ONE, q, k)).isEqualTo(expected, within(1e-5));
          assertThat(pooled.weight(TWO, q, k)).isEqualTo(mean(two, pool, q, k), within(1e-5));
          double shown = Math.pow((bytes[cell++] & 0xff) / 255.0, 2);
          assertThat(shown).isEqualTo(expected, within(Math.sqrt(expected) / 255 + 1e-5));
        }
      }
      assertThat(bytes).hasSize(cell);
    }
  }

  @Test
  void rowsThatAreNotFiniteCountForNothing() {
    var pooled = new PooledAttention(1, 1000);
    pooled.row(0, 0, 0, new float[] {1});
    pooled.row(0, 0, 1, new float[] {Float.NaN, 1});
    pooled.row(0, 0, 2, new float[] {0.25f, 0.25f, 0.5f});
    var head = new HeadId(0, 0);
    assertThat(pooled.weight(head, 1, 0)).isZero();
    assertThat(pooled.weight(head, 2, 2)).isEqualTo(0.5);
    assertThat(pooled.weight(head, 1, 2)).isZero();
  }

  @Test
  void manyHeadsOfALongTextStayWithinTheirCells() {
    var pooled = new PooledAttention(336, 2_500_000);
    for (int q = 0; q < 4096; q += 64) {
      float[] row = new float[q + 1];
      row[0] = 1;
      for (int head = 0; head < 336; head++) {
        pooled.row(head / 14, head % 14, q, row);
      }
    }
    int side = pooled.side();
    assertThat(side).isBetween(61, 121);
    assertThat(336L * side * (side + 1) / 2).isLessThanOrEqualTo(2_500_000);
  }
}
