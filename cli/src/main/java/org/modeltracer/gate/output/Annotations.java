package org.modeltracer.gate.output;

import java.util.stream.Collectors;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.model.VisibleText;

/** Lines that GitHub Actions shows beside a run: one per check that failed or errored. */
public final class Annotations {
  private Annotations() {}

  /** The lines, each ended by a line feed; empty when there is nothing to show. */
  public static String of(GateReport report) {
    return report.result().results().stream()
        .filter(r -> r.verdict() == Verdict.FAIL || r.verdict() == Verdict.ERROR)
        .map(
            r ->
                "::error file=%s,title=%s::%s\n"
                    .formatted(
                        property(report.file().toString()),
                        property("modeltracer " + r.id()),
                        data(r.message())))
        .collect(Collectors.joining());
  }

  private static String data(String text) {
    return VisibleText.line(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"));
  }

  private static String property(String text) {
    return data(text).replace(":", "%3A").replace(",", "%2C");
  }
}
