package org.modeltracer.anomaly;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ThresholdsTest {
  @Test
  void changesOnlyWhatIsNamed() {
    Thresholds changed = Thresholds.from(Map.of("explosion_abs", 5, "kv_window", 7.0));
    assertThat(changed.explosionAbs()).isEqualTo(5.0);
    assertThat(changed.kvWindow()).isEqualTo(7);
    assertThat(changed.rowSum()).isEqualTo(Thresholds.defaults().rowSum());
    assertThat(Thresholds.from(Map.of())).isEqualTo(Thresholds.defaults());
  }

  @Test
  void refusesUnknownNamesInOneLine() {
    assertThatThrownBy(() -> Thresholds.from(Map.of("explosion", 5)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("thresholds: 'explosion' is not a limit; known: [explosion_abs,")
        .hasMessageNotContaining("\n");
  }

  @Test
  void refusesWhatIsNotANumberAboveZero() {
    assertRefused("row_sum", "much", "thresholds: row_sum must be a number above 0, not 'much'");
    assertRefused("row_sum", -1, "thresholds: row_sum must be a number above 0, not '-1'");
    assertRefused("row_sum", Double.NaN, "thresholds: row_sum must be a number above 0, not 'NaN'");
    assertRefused(
        "kv_window", 1.5, "thresholds: kv_window must be a whole number above 0, not '1.5'");
    assertRefused("row_sum", null, "thresholds: row_sum must be a number above 0, not 'null'");
  }

  private static void assertRefused(String name, Object value, String message) {
    Map<String, Object> changes = new HashMap<>();
    changes.put(name, value);
    assertThatThrownBy(() -> Thresholds.from(changes))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }
}
