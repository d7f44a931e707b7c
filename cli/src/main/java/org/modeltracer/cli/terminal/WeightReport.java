package org.modeltracer.cli.terminal;

import java.util.regex.Pattern;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.trace.Json;
import org.modeltracer.weights.WeightFinding;
import org.modeltracer.weights.WeightScan;

/** Scans a file's weights and says what is wrong with them. */
public final class WeightReport {
  private final Terminal terminal;
  private final boolean json;

  public WeightReport(Terminal terminal, boolean json) {
    this.terminal = terminal;
    this.json = json;
  }

  public ExitCode scan(GgufFile gguf, LlamaRuntime runtime, Thresholds limits) {
    int threads = Runtime.getRuntime().availableProcessors();
    WeightScan.Result result =
        WeightScan.scan(
            gguf,
            runtime,
            limits,
            threads,
            (done, all) -> terminal.progress("weights", (double) done, (double) all));
    if (json) {
      terminal.print(Json.pretty(result));
    } else {
      print(gguf, result);
    }
    if (result.tensors() == 0) {
      return ExitCode.NOTHING;
    }
    boolean told = result.findings().stream().anyMatch(f -> f.kind().severity() != Severity.INFO);
    return told ? ExitCode.FINDINGS : ExitCode.PASS;
  }

  private void print(GgufFile gguf, WeightScan.Result result) {
    terminal.println(
        terminal.styled("@|bold " + gguf.path().getFileName() + "|@")
            + "  %,d values of %d tensors scanned".formatted(result.values(), result.tensors()));
    for (WeightFinding finding : result.findings()) {
      terminal.println(
          terminal.styled("  @|bold,red " + finding.tensor() + "|@  ")
              + finding.message().replaceFirst("^" + Pattern.quote(finding.tensor()) + ":? ", ""));
    }
    if (!result.skipped().isEmpty()) {
      terminal.println("  not scanned: " + String.join(", ", result.skipped()));
    }
    if (result.findings().isEmpty()) {
      terminal.println(terminal.styled("@|green No faults in the weights.|@"));
    }
  }
}
