package org.modeltracer.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.PooledAttention;

/** What is drawn on a terminal, and on none. */
class DrawingsTest {
  private static final Pattern COLOUR = Pattern.compile("\u001b\\[[0-9;]*m");

  @Test
  void barsAreLogarithms() {
    assertThat(Sparkline.of(List.of(1.0, 10.0, 100.0, 1000.0, 10000.0, 1e5, 1e6, 1e7)))
        .isEqualTo("▁▂▃▄▅▆▇█");
    assertThat(Sparkline.of(Arrays.asList(1.0, null, Double.NaN, 2.0, 0.0))).isEqualTo("▁ ×█▁");
    assertThat(Sparkline.of(List.of(5.0, 5.0))).isEqualTo("▁▁");
    assertThat(Sparkline.of(List.of())).isEmpty();
  }

  private static String drawn(boolean interactive, Map<String, String> environment, int size) {
    // One head that looks at itself, one that looks at the first position.
    var attention = new PooledAttention(2, 10_000);
    for (int q = 0; q < size; q++) {
      float[] self = new float[q + 1];
      self[q] = 1;
      attention.row(0, 0, q, self);
      float[] first = new float[q + 1];
      first[0] = 1;
      attention.row(0, 1, q, first);
    }
    var out = new StringWriter();
    new HeadPictures(
            new Terminal(new PrintWriter(out), new PrintWriter(out), interactive, environment))
        .print(attention);
    return out.toString();
  }

  @Test
  void headsAreDrawnWhereColoursAreSeen() {
    Map<String, String> wide = Map.of("COLUMNS", "80");
    String drawn = drawn(true, wide, 24);
    List<String> lines = drawn.lines().map(line -> COLOUR.matcher(line).replaceAll("")).toList();
    assertThat(lines).hasSize(7);
    assertThat(lines.getFirst()).isEqualTo("    0  ▀▄           ▀▄");
    assertThat(lines.get(5)).isEqualTo("       ▀▀▀▀▀▀▀▀▀▀▀▄ ▀▀▀▀▀▀▀▀▀▀▀▄");
    // The brightest grey is on the diagonal of the one, in the first column of the other.
    String last = drawn.lines().toList().get(5);
    assertThat(last.split("255", -1)).hasSize(5);
    assertThat(drawn(false, wide, 24)).isEmpty();
    assertThat(drawn(true, Map.of("NO_COLOR", "1", "COLUMNS", "80"), 24)).isEmpty();
    assertThat(drawn(true, Map.of("COLUMNS", "40"), 4)).isEmpty();
  }
}
