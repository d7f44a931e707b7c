package org.modeltracer.cli.terminal;

import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Help.ColorScheme;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.UsageMessageSpec;

/** The terminal, if there is one: colours where wanted, a progress bar where it can be redrawn. */
public final class Terminal {
  private static final int BAR = 30;
  private static final int USUAL_WIDTH = 120;

  private final PrintWriter out;
  private final PrintWriter err;
  private final boolean interactive;
  private final Ansi ansi;
  private boolean barShown;
  private boolean midLine;

  @SuppressWarnings("SystemConsoleNull") // Java 25 returns null again where there is no terminal
  private Terminal(PrintWriter out, PrintWriter err) {
    this.out = out;
    this.err = err;
    interactive = System.console() != null && System.console().isTerminal();
    boolean colours = interactive && System.getenv("NO_COLOR") == null;
    ansi = colours ? Ansi.ON : Ansi.OFF;
  }

  /** The terminal that a command writes to. */
  public static Terminal of(CommandSpec command) {
    return new Terminal(command.commandLine().getOut(), command.commandLine().getErr());
  }

  /** Text with picocli's markup, such as {@code @|bold …|@}, rendered or removed. */
  public String styled(String markup) {
    return ansi.string(markup);
  }

  /** Text in a style of picocli's, such as {@code bold,green}; nothing in the text is markup. */
  public String styled(String style, String text) {
    return new ColorScheme.Builder(ansi)
        .build()
        .apply(text, List.of(Ansi.Style.parse(style)))
        .toString();
  }

  /** Columns of a line. */
  int width() {
    return interactive ? new UsageMessageSpec().autoWidth(true).width() : USUAL_WIDTH;
  }

  public synchronized void print(String text) {
    out.print(text);
    out.flush();
    midLine = text.isEmpty() ? midLine : !text.endsWith("\n");
  }

  public synchronized void println(String line) {
    print(line + System.lineSeparator());
  }

  /** A line for people, kept out of what scripts read. */
  public synchronized void note(String line) {
    clearBar();
    if (midLine) {
      err.println();
      midLine = false;
    }
    err.println(line);
    err.flush();
  }

  /** Draws a bar, {@code done} of {@code all}; removes it when all is done. */
  public synchronized void progress(String what, double done, double all) {
    if (!interactive) {
      return;
    }
    double share = all > 0 ? Math.clamp(done / all, 0, 1) : 1;
    if (share >= 1) {
      clearBar();
      return;
    }
    int filled = (int) Math.round(share * BAR);
    err.print(
        "\r%-12s %s%s %3.0f %%"
            .formatted(what, "█".repeat(filled), "░".repeat(BAR - filled), 100 * share));
    err.flush();
    barShown = true;
  }

  private void clearBar() {
    if (barShown) {
      err.print("\r" + " ".repeat(BAR + 20) + "\r");
      err.flush();
      barShown = false;
    }
  }
}
