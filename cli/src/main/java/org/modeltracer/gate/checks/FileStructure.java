package org.modeltracer.gate.checks;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;

/** Whether the file is well-formed GGUF whose header llama.cpp can be trusted with. */
final class FileStructure implements Check {
  static final String ID = "file.structure";

  @Override
  public String id() {
    return ID;
  }

  @Override
  public String description() {
    return "header, metadata and tensor table are well-formed and lie within the file";
  }

  @Override
  public Needs needs() {
    return Needs.FILE;
  }

  @Override
  public CheckResult run(Subject subject) {
    GgufFile file;
    try {
      file = GgufFile.read(subject.request().file());
    } catch (GgufException e) {
      var evidence =
          new Evidence(
              "malformed",
              Severity.CRITICAL,
              String.valueOf(e.getMessage()),
              null,
              null,
              null,
              e.offset() < 0 ? null : e.offset());
      return new CheckResult(
          id(), Verdict.FAIL, Map.of(), String.valueOf(e.getMessage()), List.of(evidence));
    }
    Map<String, @Nullable Object> signals = new LinkedHashMap<>();
    signals.put("bytes", file.size());
    signals.put("tensors", file.tensors().size());
    List<Evidence> evidence =
        LoadChecks.problems(file).stream()
            .map(
                p ->
                    new Evidence(
                        "unloadable",
                        Severity.CRITICAL,
                        p.message(),
                        null,
                        null,
                        null,
                        p.offset() < 0 ? null : p.offset()))
            .toList();
    return evidence.isEmpty()
        ? new CheckResult(
            id(),
            Verdict.PASS,
            signals,
            file.tensors().size() + " tensors, all within the file",
            evidence)
        : new CheckResult(id(), Verdict.FAIL, signals, evidence.getFirst().message(), evidence);
  }
}
