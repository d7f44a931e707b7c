package org.modeltracer.cli.terminal;

import java.io.PrintWriter;
import java.util.List;
import java.util.Random;
import org.modeltracer.gate.output.Annotations;
import org.modeltracer.model.VisibleText;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Help.ColorScheme;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.UsageMessageSpec;

/**
 * The terminal, if there is one: colours where wanted, a progress bar where it can be redrawn.
 *
 * <p>Nothing that it is given to print acts on it: all text passes {@link VisibleText}. Styles
 * travel through that as a mark that is another in every process, so that no file can hold it.
 */
public final class Terminal {
  private static final int BAR = 30;
  private static final int USUAL_WIDTH = 120;

  private static final String ESCAPE = "\u001b";
  private static final String MARK =
      "\uFDD0" + Long.toHexString(new Random().nextLong()) + "\uFDD0";

  private final VisibleText shown = new VisibleText();
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
    boolean colours =
        interactive && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM"));
    ansi = colours ? Ansi.ON : Ansi.OFF;
  }

  /** The terminal that a command writes to. */
  public static Terminal of(CommandSpec command) {
    return new Terminal(command.commandLine().getOut(), command.commandLine().getErr());
  }

  /** Text with picocli's markup, such as {@code @|bold …|@}, rendered or removed. */
  public String styled(String markup) {
    return ansi.string(VisibleText.line(markup)).replace(ESCAPE, MARK);
  }

  /** Text in a style of picocli's, such as {@code bold,green}; nothing in the text is markup. */
  public String styled(String style, String text) {
    return new ColorScheme.Builder(ansi)
        .build()
        .apply(new VisibleText().next(text), List.of(Ansi.Style.parse(style)))
        .toString()
        .replace(ESCAPE, MARK);
  }

  /** Columns of a line. */
  int width() {
    return interactive ? new UsageMessageSpec().autoWidth(true).width() : USUAL_WIDTH;
  }

  /** Text of any number of lines, or a piece of it. */
  public synchronized void print(String text) {
    out.print(shown.next(text).replace(MARK, ESCAPE));
    out.flush();
    midLine = text.isEmpty() ? midLine : !text.endsWith("\n");
  }

  /** One line, whatever the text holds. */
  public synchronized void println(String line) {
    print(VisibleText.line(line) + "\n");
  }

  /** Lines of {@link Annotations}, which are commands to CI and hold nothing unguarded. */
  public synchronized void annotate(String lines, boolean besideJson) {
    PrintWriter target = besideJson ? err : out;
    target.print(lines);
    target.flush();
  }

  /** A line for people, kept out of what scripts read. */
  public synchronized void note(String line) {
    clearBar();
    if (midLine) {
      err.println();
      midLine = false;
    }
    err.println(VisibleText.line(line).replace(MARK, ESCAPE));
    err.flush();
  }

  /** Draws a bar, {@code done} of {@code all}; removes it when all is done. */
  public synchronized void progress(String what, double done, double all) {
    progress(what, done, all, "");
  }

  /** Draws a bar with a few words behind it. */
  synchronized void progress(String what, double done, double all, String words) {
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
        "\r%-12s %s%s %3.0f %%  %-16s"
            .formatted(what, "█".repeat(filled), "░".repeat(BAR - filled), 100 * share, words));
    err.flush();
    barShown = true;
  }

  private void clearBar() {
    if (barShown) {
      err.print("\r" + " ".repeat(BAR + 40) + "\r");
      err.flush();
      barShown = false;
    }
  }
}
