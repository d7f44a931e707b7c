package org.modeltracer.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Lines wrap for people and stay whole for scripts; colours come only where they are wanted. */
class TerminalTest {
  private static final String LONG =
      "blk.2.ffn_down.weight has 1 bad value (1 NaN, 0 Inf), the first at [101, 37], in all";

  private static String said(
      boolean interactive, Map<String, String> environment, Consumer<Terminal> speaker) {
    var out = new StringWriter();
    speaker.accept(
        new Terminal(new PrintWriter(out), new PrintWriter(out), interactive, environment));
    return out.toString();
  }

  @Test
  void aTerminalGetsLinesThatFitAndAPipeGetsOne() {
    Map<String, String> narrow = Map.of("COLUMNS", "60");
    assertThat(said(true, narrow, t -> t.println("  file.data  ", LONG)))
        .isEqualTo(
            """
              file.data  blk.2.ffn_down.weight has 1 bad value (1 NaN, 0
                         Inf), the first at [101, 37], in all
            """);
    assertThat(said(true, narrow, t -> t.println("  " + LONG)))
        .isEqualTo(
            """
              blk.2.ffn_down.weight has 1 bad value (1 NaN, 0 Inf), the
                  first at [101, 37], in all
            """);
    assertThat(said(true, narrow, t -> t.note(LONG)).lines())
        .hasSize(2)
        .allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(60));
    assertThat(said(false, narrow, t -> t.println("  file.data  ", LONG)))
        .isEqualTo("  file.data  " + LONG + "\n");
    assertThat(said(false, narrow, t -> t.note(LONG))).isEqualTo(LONG + "\n");
  }

  @Test
  void coloursTakeNoColumns() {
    String line = "x".repeat(50) + " ten colums";
    assertThat(said(true, Map.of("COLUMNS", "61"), t -> t.println(t.styled("bold,red", line))))
        .contains("\u001b[", line);
  }

  @Test
  void aWordThatIsTooLongStaysWhole() {
    String word = "x".repeat(100);
    assertThat(WordWrap.lines("a " + word + " b", 60, 2)).containsExactly("a", "  " + word, "  b");
  }

  @Test
  void noColoursWhereNoneAreWanted() {
    Consumer<Terminal> speaker =
        t -> t.println(t.styled("bold,red", "no") + t.styled("@|green yes|@"));
    assertThat(said(true, Map.of("TERM", "xterm"), speaker)).contains("\u001b[");
    assertThat(said(true, Map.of("TERM", "xterm", "NO_COLOR", ""), speaker)).contains("\u001b[");
    assertThat(said(true, Map.of("TERM", "dumb"), speaker)).isEqualTo("noyes\n");
    assertThat(said(true, Map.of("TERM", "xterm", "NO_COLOR", "1"), speaker)).isEqualTo("noyes\n");
    assertThat(said(false, Map.of("TERM", "xterm"), speaker)).isEqualTo("noyes\n");
  }
}
