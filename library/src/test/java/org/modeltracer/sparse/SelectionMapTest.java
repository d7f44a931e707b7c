package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Pictures of selections against means over all pairs. */
class SelectionMapTest {
  private final Random random = new Random(4);
  private boolean[][] selected = {};
  private float[][] scores = {};
  private float[][] attention = {};

  private SelectionMap map(int n, int k, boolean readable) {
    var map = new SelectionMap(1, 3);
    selected = new boolean[n][n];
    scores = new float[n][n];
    attention = new float[n][n];
    for (int q = 0; q < n; q++) {
      var query = query(q, k);
      double sum = 0;
      for (int i = 0; i <= q; i++) {
        selected[q][i] = query.selected[i] = random.nextInt(q + 1) < k;
        scores[q][i] = query.scores[i] = (float) random.nextGaussian();
        attention[q][i] = random.nextFloat();
        sum += attention[q][i];
      }
      for (int i = 0; i <= q; i++) {
        attention[q][i] /= (float) sum;
      }
      query.attention = readable ? attention[q] : null;
      map.add(1, query);
    }
    return map;
  }

  private static IndexedQuery query(int position, int k) {
    var query = new IndexedQuery();
    query.reserve(position + 2, 0);
    query.position = position;
    query.keys = position + 1;
    query.k = k;
    for (int i = 0; i <= position; i++) {
      query.positions[i] = i;
    }
    return query;
  }

  @Test
  void eachPairIsItsOwnCellUntilTheyAreTooMany() {
    SelectionMap.Picture map = map(50, 8, true).picture();
    assertThat(map.pool()).isEqualTo(1);
    assertThat(map.side()).isEqualTo(50);
    assertThat(map.layers()).hasSize(1);
    SelectionMap.Layer layer = map.layers().getFirst();
    assertThat(layer.layer()).isEqualTo(3);
    assertThat(layer.topK()).isEqualTo(8);
    int cell = 0;
    double step = (layer.scoreLargest() - layer.scoreLeast()) / 255;
    for (int q = 0; q < 50; q++) {
      for (int k = 0; k <= q; k++, cell++) {
        assertThat(layer.selected()[cell] & 0xff).isEqualTo(selected[q][k] ? 255 : 0);
        assertThat(layer.scoreLeast() + step * (layer.scores()[cell] & 0xff))
            .isCloseTo(scores[q][k], within(step / 2 + 1e-6));
        double shown = Math.pow((Objects.requireNonNull(layer.attention())[cell] & 0xff) / 255., 2);
        assertThat(shown)
            .isCloseTo(attention[q][k], within(Math.sqrt(attention[q][k]) / 255 + 4e-6));
      }
    }
    assertThat(cell).isEqualTo(layer.selected().length).isEqualTo(layer.scores().length);
  }

  /** More positions than blocks: a cell is the mean over its pairs in sight. */
  @Test
  void blocksAreMeansOverTheirPairs() {
    int n = 701;
    SelectionMap.Picture map = map(n, 40, true).picture();
    int pool = map.pool();
    assertThat(pool).isEqualTo(2);
    assertThat(map.positions()).isEqualTo(n);
    assertThat(map.side()).isEqualTo(351);
    SelectionMap.Layer layer = map.layers().getFirst();
    double step = (layer.scoreLargest() - layer.scoreLeast()) / 255;
    int cell = 0;
    for (int q = 0; q < map.side(); q++) {
      for (int k = 0; k <= q; k++, cell++) {
        double chosen = 0;
        double score = 0;
        double weight = 0;
        int pairs = 0;
        int queries = 0;
        for (int i = q * pool; i < Math.min(n, (q + 1) * pool); i++, queries++) {
          for (int j = k * pool; j < (k + 1) * pool && j <= i; j++, pairs++) {
            chosen += selected[i][j] ? 1 : 0;
            score += scores[i][j];
            weight += attention[i][j];
          }
        }
        assertThat((layer.selected()[cell] & 0xff) / 255.)
            .isCloseTo(chosen / pairs, within(0.5 / 255 + 1e-6));
        assertThat(layer.selected()[cell] != 0).isEqualTo(chosen > 0);
        assertThat(layer.scoreLeast() + step * (layer.scores()[cell] & 0xff))
            .isCloseTo(score / pairs, within(step / 2 + 1e-5));
        double shown = Math.pow((Objects.requireNonNull(layer.attention())[cell] & 0xff) / 255., 2);
        double mean = weight / queries;
        assertThat(shown).isCloseTo(mean, within(Math.sqrt(mean) / 255 + 4e-6));
      }
    }
  }

  @Test
  void whatCannotBeReadIsAbsentAndOtherQueriesAreCounted() {
    SelectionMap map = map(20, 4, false);
    assertThat(map.picture().layers().getFirst().attention()).isNull();
    assertThat(map.picture().leftOut()).isZero();
    IndexedQuery behindWindow = query(20, 4);
    behindWindow.keys = 5;
    map.add(1, behindWindow);
    IndexedQuery shifted = query(20, 4);
    for (int i = 0; i <= 20; i++) {
      shifted.positions[i] = i + 1;
    }
    map.add(1, shifted);
    map.leaveOut();
    assertThat(map.picture().leftOut()).isEqualTo(3);
    assertThat(map.picture().positions()).isEqualTo(20);
    assertThat(new SelectionMap(0).picture().layers()).isEmpty();
  }
}
