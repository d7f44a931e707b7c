package org.modeltracer.gate.checks;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.weights.WeightFault;
import org.modeltracer.weights.WeightFinding;
import org.modeltracer.weights.WeightScan;

/** Whether the weights are numbers that a model can work with. */
final class FileData implements Check {
  private static final Pattern IN_LAYER = Pattern.compile("(?:^|\\.)blk\\.(\\d{1,9})\\.");

  @Override
  public String id() {
    return "file.data";
  }

  @Override
  public String description() {
    return "no NaN or Inf in any tensor or scale, no absurd magnitudes, no dead rows or experts";
  }

  @Override
  public Needs needs() {
    return Needs.RUNTIME;
  }

  @Override
  public CheckResult run(Subject subject) {
    GgufFile file = subject.file();
    Policy policy = subject.policy();
    WeightScan.Result scan =
        WeightScan.scan(
            file,
            subject.runtime(),
            policy.thresholds(),
            Math.max(1, policy.workload().threads()),
            (done, all) -> {});
    Map<String, @Nullable Object> signals = new LinkedHashMap<>();
    signals.put("tensors", scan.tensors());
    signals.put("values", scan.values());
    signals.put("skipped", scan.skipped().size());
    for (WeightFault fault : WeightFault.values()) {
      signals.put(fault.id(), scan.findings().stream().filter(f -> f.kind() == fault).count());
    }
    if (scan.tensors() == 0) {
      return new CheckResult(
          id(), Verdict.SKIPPED, signals, "no tensor that can be read as numbers", List.of());
    }
    var evidence = new ArrayList<Evidence>();
    for (WeightFinding finding : scan.findings()) {
      evidence.add(evidence(file, finding, policy));
    }
    return new CheckResultBuilder(this)
        .result(
            signals,
            evidence,
            policy,
            "%,d values of %d tensors are sound".formatted(scan.values(), scan.tensors()));
  }

  private static Evidence evidence(GgufFile file, WeightFinding finding, Policy policy) {
    Severity severity =
        finding.kind() == WeightFault.ZERO_ROWS && manyRows(file, finding, policy)
            ? Severity.WARNING
            : finding.kind().severity();
    Matcher layer = IN_LAYER.matcher(finding.tensor());
    return new Evidence(
        finding.kind().id(),
        severity,
        finding.message(),
        finding.tensor(),
        null,
        layer.find() ? Integer.valueOf(layer.group(1)) : null,
        file.tensor(finding.tensor()).map(TensorInfo::offset).orElse(null));
  }

  private static boolean manyRows(GgufFile file, WeightFinding finding, Policy policy) {
    TensorInfo tensor = file.tensor(finding.tensor()).orElseThrow();
    double rows = (double) tensor.elements() / tensor.dimension(0);
    return finding.count() / rows > policy.limit("file.data.zero_rows");
  }
}
