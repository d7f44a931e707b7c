package org.modeltracer.gate.checks;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.GgufKind;
import org.modeltracer.gguf.LoadChecks;

/** Whether the file is well-formed GGUF whose header llama.cpp can be trusted with. */
final class FileStructure extends Check {
  static final String ID = "file.structure";

  FileStructure() {
    super(
        ID,
        Needs.FILE,
        "header, metadata and tensor table are well-formed and lie within the file");
  }

  @Override
  CheckResult run(Subject subject) {
    GgufFile file;
    try {
      file = GgufFile.read(subject.request().file());
    } catch (GgufException e) {
      String message = String.valueOf(e.getMessage());
      return failed(
          Map.of(), List.of(Evidence.ofByte("malformed", Severity.CRITICAL, e.offset(), message)));
    }
    Map<String, @Nullable Object> signals = new LinkedHashMap<>();
    signals.put("bytes", file.size());
    signals.put("tensors", file.tensors().size());
    signals.put("files", file.shards().size());
    signals.put("kind", file.kind().id());
    boolean model = file.kind() == GgufKind.MODEL;
    List<Evidence> evidence =
        LoadChecks.faults(file).stream()
            .map(p -> Evidence.ofByte("unloadable", Severity.CRITICAL, p.offset(), p.message()))
            .toList();
    int files = file.shards().size();
    String sound =
        "%s%d tensors, all within the %s"
            .formatted(
                model ? "" : file.kind() + ": ",
                file.tensors().size(),
                files == 1 ? "file" : files + " files");
    return evidence.isEmpty()
        ? new CheckResult(id(), Verdict.PASS, signals, sound, evidence)
        : failed(signals, evidence);
  }

  private static CheckResult failed(
      Map<String, @Nullable Object> signals, List<Evidence> evidence) {
    return new CheckResult(ID, Verdict.FAIL, signals, evidence.getFirst().message(), evidence);
  }
}
