package org.modeltracer.cli.terminal;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.trace.TraceListener;

/**
 * One line on stderr for each pass that shows something new.
 *
 * <p>A bad value is bad at every place it flows through: the line names the first and worst place
 * of the pass and counts the rest, which the log lists.
 */
public final class AnomalyPrinter implements TraceListener {
  /** The worst first, of equals the one that came first. */
  public static final Comparator<Anomaly> WORST_FIRST =
      Comparator.comparing(Anomaly::severity, Comparator.reverseOrder())
          .thenComparingInt(Anomaly::id);

  private final Terminal terminal;
  private final List<Anomaly> pass = new ArrayList<>();
  private final Set<Integer> printed = new HashSet<>();
  private boolean inPass;

  public AnomalyPrinter(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public boolean inLanes() {
    return true;
  }

  @Override
  public void onForward(int forward, int firstPosition, int tokens) {
    inPass = true;
    pass.clear();
  }

  @Override
  public void onAnomaly(Anomaly anomaly) {
    if (anomaly.severity() == Severity.INFO) {
      return;
    }
    if (inPass) {
      pass.add(anomaly);
    } else {
      print(anomaly, 0);
    }
  }

  @Override
  public void onForwardEnd(int forward) {
    inPass = false;
    pass.stream().min(WORST_FIRST).ifPresent(worst -> print(worst, pass.size() - 1));
    pass.clear();
  }

  @Override
  public void onRootCause(Anomaly anomaly) {
    var cause = anomaly.rootCause();
    if (cause != null && printed.contains(anomaly.id())) {
      terminal.note(terminal.styled("  @|bold root cause:|@ ") + cause.message());
    }
  }

  private void print(Anomaly anomaly, int more) {
    printed.add(anomaly.id());
    String rest = more == 0 ? "" : " (and " + more + " more places in this pass)";
    terminal.note(line(anomaly, terminal) + rest);
  }

  /** An anomaly's severity, coloured, and what it says. */
  public static String line(Anomaly anomaly, Terminal terminal) {
    String colour =
        switch (anomaly.severity()) {
          case CRITICAL -> "bold,red";
          case WARNING -> "yellow";
          case INFO -> "faint";
        };
    return terminal.styled("@|" + colour + " " + anomaly.severity().id() + "|@ ")
        + anomaly.message();
  }
}
