package org.modeltracer.gate.checks;

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
final class FileData extends Check {
  private static final Pattern IN_LAYER = Pattern.compile("(?:^|\\.)blk\\.(\\d{1,9})\\.");

  FileData() {
    super(
        "file.data",
        Needs.RUNTIME,
        "no NaN or Inf in any tensor or scale, no absurd magnitudes, no dead rows or experts");
  }

  @Override
  CheckResult run(Subject subject) {
    GgufFile file = subject.file();
    Policy policy = subject.policy();
    WeightScan.Result scan =
        WeightScan.scan(
            file,
            subject.runtime(),
            policy.thresholds(),
            Math.max(1, policy.workload().threads()),
            (done, all) -> {});
    var check = new CheckResultBuilder(this, subject);
    check
        .signal("tensors", scan.tensors())
        .signal("values", scan.values())
        .signal("integers", scan.integers().size())
        .signal("unread", scan.unread().size());
    for (WeightFault fault : WeightFault.values()) {
      check.signal(fault.id(), scan.findings().stream().filter(f -> f.kind() == fault).count());
    }
    if (scan.tensors() == 0 && scan.unread().isEmpty()) {
      return check.skipped("no tensor that can be read as numbers");
    }
    for (String name : scan.unread()) {
      check.judge(unread(file, name, subject.runtime().version()));
    }
    scan.findings().forEach(finding -> check.judge(evidence(file, finding, policy)));
    FewBits.of(file).forEach(check::notes);
    int unread = scan.unread().size();
    return check.result(
        "%,d values of %d tensors are sound%s"
            .formatted(
                scan.values(),
                scan.tensors(),
                unread == 0 ? "" : ", %d not scanned".formatted(unread)));
  }

  /** What was not looked at is not sound. */
  private static Evidence unread(GgufFile file, String name, String version) {
    TensorInfo tensor = file.tensor(name).orElseThrow();
    return new Evidence(
        "not_scanned",
        Severity.WARNING,
        "%s was not scanned: llama.cpp %s does not convert %s"
            .formatted(tensor.place(), version, tensor.type()),
        tensor.name(),
        null,
        layer(tensor.name()),
        tensor.offset(),
        shard(file, tensor),
        null);
  }

  private static @Nullable String shard(GgufFile file, TensorInfo tensor) {
    return file.shards().size() > 1 ? String.valueOf(tensor.file().getFileName()) : null;
  }

  private static @Nullable Integer layer(String tensor) {
    Matcher layer = IN_LAYER.matcher(tensor);
    return layer.find() ? Integer.valueOf(layer.group(1)) : null;
  }

  private static Evidence evidence(GgufFile file, WeightFinding finding, Policy policy) {
    Severity severity =
        finding.kind() == WeightFault.ZERO_ROWS && manyRows(file, finding, policy)
            ? Severity.WARNING
            : finding.kind().severity();
    TensorInfo tensor = file.tensor(finding.tensor()).orElseThrow();
    return new Evidence(
        finding.kind().id(),
        severity,
        finding.message(),
        finding.tensor(),
        null,
        layer(finding.tensor()),
        tensor.offset(),
        shard(file, tensor),
        null);
  }

  private static boolean manyRows(GgufFile file, WeightFinding finding, Policy policy) {
    TensorInfo tensor = file.tensor(finding.tensor()).orElseThrow();
    double rows = (double) tensor.elements() / tensor.dimension(0);
    return finding.count() / rows > policy.limit("file.data.zero_rows");
  }
}
