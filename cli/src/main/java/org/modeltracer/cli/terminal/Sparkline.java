package org.modeltracer.cli.terminal;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** A row of small bars, one for each number, for terminals that people look at. */
public final class Sparkline {
  private static final String BARS = "▁▂▃▄▅▆▇█";

  private Sparkline() {}

  /**
   * Bars as high as the logarithms of the numbers, from the least to the largest of them; {@code ×}
   * for a number that is not finite, a space for one that is not there, the lowest bar for 0.
   */
  public static String of(List<@Nullable Double> numbers) {
    double least = Double.POSITIVE_INFINITY;
    double largest = 0;
    for (Double number : numbers) {
      if (number != null && Double.isFinite(number) && number > 0) {
        least = Math.min(least, number);
        largest = Math.max(largest, number);
      }
    }
    var line = new StringBuilder();
    for (Double number : numbers) {
      line.append(bar(number, least, largest));
    }
    return line.toString();
  }

  private static char bar(@Nullable Double number, double least, double largest) {
    if (number == null) {
      return ' ';
    }
    if (!Double.isFinite(number)) {
      return '×';
    }
    double span = Math.log(largest / least);
    double share = number > 0 && span > 0 ? Math.log(number / least) / span : 0;
    return BARS.charAt((int) Math.round(share * (BARS.length() - 1)));
  }
}
