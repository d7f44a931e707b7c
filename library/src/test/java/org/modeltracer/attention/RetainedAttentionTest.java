package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.AttentionRow;

class RetainedAttentionTest {
  private static final int N = 20;
  private final float[][][][] attention = Matrices.random(2, 3, N, new Random(1), 1);

  @Test
  void answersEveryQuestionExactlyWithinTheBudget() {
    RetainedAttention kept = kept(1 << 20);
    assertThat(kept.precision()).isEqualTo("f32");
    assertThat(kept.bytes()).isEqualTo(2 * 3 * 4L * N * (N + 1) / 2);
    assertThat(kept.layers()).containsExactly(0, 1);
    assertThat(kept.heads(1)).containsExactly(0, 1, 2);
    assertThat(kept.positions(0, 0)).hasSize(N);
    assertThat(kept.from(1, 2, 7)).isEqualTo(attention[1][2][7]);
    assertThat(kept.to(1, 2, 7)[12]).isEqualTo(attention[1][2][12][7]);
    assertThat(kept.to(1, 2, 7)[6]).isZero();
    float mean = (attention[1][0][9][4] + attention[1][1][9][4] + attention[1][2][9][4]) / 3;
    assertThat(kept.from(1, 9)[4]).isEqualTo(mean, within(1e-6f));
    assertThat(kept.to(1, 4)[9]).isEqualTo(mean, within(1e-6f));
    var top = kept.top(0, 1, 15, 3);
    assertThat(top).hasSize(3);
    for (float weight : attention[0][1][15]) {
      assertThat(top.get(0).weight()).isGreaterThanOrEqualTo(weight);
    }
    assertThat(top.get(0).weight()).isEqualTo(attention[0][1][15][top.get(0).position()]);
    assertThat(kept.top(0, 15, 1)).hasSize(1);
    assertThat(kept.matrix(0, 0)).hasSize(N);
  }

  @Test
  void losesPrecisionThenSmallWeightsThenRowsAsTheBudgetShrinks() {
    long full = 2 * 3 * 4L * N * (N + 1) / 2;
    RetainedAttention half = kept(full - 1);
    assertThat(half.precision()).isEqualTo("f16");
    assertThat(half.from(1, 2, 7)[3]).isEqualTo(attention[1][2][7][3], within(5e-4f));
    RetainedAttention few = kept(2000);
    assertThat(few.precision()).startsWith("top-");
    assertThat(few.bytes()).isLessThanOrEqualTo(2000);
    assertThat(few.leftOut()).isZero();
    int best = few.top(1, 2, 19, 1).get(0).position();
    assertThat(few.from(1, 2, 19)[best]).isEqualTo(attention[1][2][19][best], within(5e-4f));
    float lost = few.rest(1, 2, 19);
    float held = 0;
    for (float weight : few.from(1, 2, 19)) {
      held += weight;
    }
    assertThat(lost).isPositive();
    assertThat(held + lost).isEqualTo(1, within(5e-3f));
    assertThat(half.rest(1, 2, 7)).isZero();
    RetainedAttention none = kept(100);
    assertThat(none.leftOut()).isEqualTo(120 - 100 / 10);
  }

  @Test
  void errorsSayWhatIsThere() {
    RetainedAttention kept = kept(1 << 20);
    assertThatThrownBy(() -> kept.from(5, 0, 0))
        .hasMessageContaining("layer 5")
        .hasMessageContaining("[0, 1]");
    assertThatThrownBy(() -> kept.from(1, 9, 0))
        .hasMessageContaining("L1H9")
        .hasMessageContaining("[0, 1, 2]");
    assertThatThrownBy(() -> kept.from(1, 0, 20)).hasMessageContaining("position 20");
    assertThatThrownBy(() -> kept.to(1, 0, 20)).hasMessageContaining("0 to 19");
    assertThatThrownBy(() -> kept.from(1, 33)).hasMessageContaining("position 33");
  }

  private RetainedAttention kept(long budget) {
    var kept = new RetainedAttention(budget);
    var row = new AttentionRow();
    for (int l = 0; l < 2; l++) {
      for (int h = 0; h < 3; h++) {
        for (int q = 0; q < N; q++) {
          var weights = MemorySegment.ofArray(attention[l][h][q]);
          kept.row(row.at(l, h, 0, q, 0, q + 1, weights, 0));
        }
      }
    }
    return kept;
  }
}
