package org.modeltracer.cli.terminal;

import java.util.regex.Pattern;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gate.output.JsonHead;
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
      terminal.print(Json.pretty(JsonHead.of(gguf).before(result)));
    } else {
      print(gguf, result);
    }
    if (result.findings().stream().anyMatch(f -> f.kind().severity() != Severity.INFO)) {
      return ExitCode.FINDINGS;
    }
    boolean all = result.tensors() > 0 && result.unread().isEmpty();
    return all ? ExitCode.PASS : ExitCode.NOTHING;
  }

  private void print(GgufFile gguf, WeightScan.Result result) {
    terminal.println(
        terminal.styled("bold", gguf.path().getFileName().toString())
            + "  %,d values of %d tensors scanned".formatted(result.values(), result.tensors()));
    for (WeightFinding finding : result.findings()) {
      terminal.println(
          "  "
              + terminal.styled("bold,red", finding.tensor())
              + "  "
              + finding.message().replaceFirst("^" + Pattern.quote(finding.tensor()) + ":? ", ""));
    }
    if (!result.integers().isEmpty()) {
      terminal.println("  whole numbers: " + String.join(", ", result.integers()));
    }
    if (!result.unread().isEmpty()) {
      terminal.println(
          terminal.styled("  @|yellow not scanned|@, llama.cpp does not convert their types: ")
              + String.join(", ", result.unread()));
    }
    if (result.tensors() == 0) {
      terminal.println("Nothing was scanned.");
    } else if (result.findings().isEmpty()) {
      terminal.println(
          terminal.styled(
              result.unread().isEmpty()
                  ? "@|green No faults in the weights.|@"
                  : "No faults in the %d tensors that were scanned.".formatted(result.tensors())));
    }
  }
}
