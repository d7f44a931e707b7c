package org.modeltracer.cli;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.Gate;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.CheckResult;

/** Times the checks, and shows on a terminal how far they are. */
final class CheckProgress implements Gate.Progress {
  private final Terminal terminal;
  private final Map<String, Double> seconds = new LinkedHashMap<>();
  private final Map<String, Long> begun = new HashMap<>();

  CheckProgress(Terminal terminal) {
    this.terminal = terminal;
  }

  /** Seconds that each check took. */
  Map<String, Double> seconds() {
    return seconds;
  }

  @Override
  public void onBegin(Check check) {
    begun.put(check.id(), System.nanoTime());
    terminal.progress("check", Catalogue.checks().indexOf(check), Catalogue.checks().size());
  }

  @Override
  public void onResult(CheckResult result) {
    Long since = begun.get(result.id());
    if (since != null) {
      seconds.put(result.id(), (System.nanoTime() - since) / 1e9);
    }
  }
}
