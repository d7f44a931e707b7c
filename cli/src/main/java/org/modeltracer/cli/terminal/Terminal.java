package org.modeltracer.cli.terminal;

import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
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
  private static final int FEW_COLUMNS = 80;
  private static final int LEAST_COLUMNS = 40;

  /** Columns that the rest of a line too long is indented by. */
  private static final int HANG = 4;

  private static final String ESCAPE = "\u001b";
  private static final String MARK =
      "\uFDD0" + Long.toHexString(new Random().nextLong()) + "\uFDD0";

  private final VisibleText shown = new VisibleText();
  private final PrintWriter out;
  private final PrintWriter err;
  private final boolean interactive;
  private final Ansi ansi;
  private final Map<String, String> environment;
  private int width;

  /** Characters of the bar that is shown. */
  private int barShown;

  private boolean midLine;

  @SuppressWarnings("SystemConsoleNull") // Java 25 returns null again where there is no terminal
  private static boolean attached() {
    return System.console() != null && System.console().isTerminal();
  }

  Terminal(PrintWriter out, PrintWriter err, boolean interactive, Map<String, String> environment) {
    this.out = out;
    this.err = err;
    this.interactive = interactive;
    this.environment = environment;
    ansi = ansi(interactive, environment);
  }

  /** Whether people's lines are coloured: on a terminal that can, unless they ask for none. */
  public static Ansi ansi() {
    return ansi(attached(), System.getenv());
  }

  static Ansi ansi(boolean interactive, Map<String, String> environment) {
    boolean colours =
        interactive
            && environment.getOrDefault("NO_COLOR", "").isEmpty()
            && !"dumb".equals(environment.get("TERM"));
    return colours ? Ansi.ON : Ansi.OFF;
  }

  /** Columns for text that is read by people wherever it goes: COLUMNS, the terminal's, or 80. */
  public static int columns() {
    return columns(attached(), System.getenv(), FEW_COLUMNS);
  }

  private static int columns(boolean interactive, Map<String, String> environment, int usual) {
    String given = environment.getOrDefault("COLUMNS", "");
    if (given.matches("[1-9][0-9]{0,4}")) {
      return Math.max(LEAST_COLUMNS, Integer.parseInt(given));
    }
    return interactive ? new UsageMessageSpec().autoWidth(true).width() : usual;
  }

  /** The terminal that a command writes to. */
  public static Terminal of(CommandSpec command) {
    return new Terminal(
        command.commandLine().getOut(),
        command.commandLine().getErr(),
        attached(),
        System.getenv());
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

  /** Whether people look, so that what is drawn is seen. */
  public boolean interactive() {
    return interactive;
  }

  /** Whether they see colours. */
  boolean coloured() {
    return ansi.enabled();
  }

  /** Columns of a line. */
  int width() {
    if (!interactive) {
      return USUAL_WIDTH;
    }
    if (width == 0) {
      width = columns(true, environment, USUAL_WIDTH);
    }
    return width;
  }

  /** Text of any number of lines, or a piece of it. */
  public synchronized void print(String text) {
    out.print(shown.next(text).replace(MARK, ESCAPE));
    out.flush();
    midLine = text.isEmpty() ? midLine : !text.endsWith("\n");
  }

  /** One line, whatever the text holds; on a terminal, as many as its words need. */
  public synchronized void println(String line) {
    int indent = line.length() - line.stripLeading().length();
    println(line, indent + HANG);
  }

  /** A line whose text, where a terminal is too narrow for it, goes on below its beginning. */
  public synchronized void println(String head, String text) {
    println(head + text, WordWrap.columns(head));
  }

  private void println(String line, int hang) {
    print(fitted(VisibleText.line(line), hang) + "\n");
  }

  private String fitted(String line, int hang) {
    return interactive ? String.join("\n", WordWrap.lines(line, width(), hang)) : line;
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
    err.println(fitted(VisibleText.line(line), HANG).replace(MARK, ESCAPE));
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
    String bar =
        "%-12s %s%s %3.0f %%  %-16s"
            .formatted(what, "█".repeat(filled), "░".repeat(BAR - filled), 100 * share, words);
    // A line that wraps cannot be drawn over.
    barShown = Math.min(bar.length(), Math.max(0, width() - 1));
    err.print("\r" + bar.substring(0, barShown));
    err.flush();
  }

  private void clearBar() {
    if (barShown > 0) {
      err.print("\r" + " ".repeat(barShown) + "\r");
      err.flush();
      barShown = 0;
    }
  }
}
