package org.modeltracer.gate.checks;

import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.NativeWarning;

/** Whether llama.cpp loads the file and can set up a context for it. */
final class FileLoads extends Check {
  static final String ID = "file.loads";

  FileLoads() {
    super(ID, Needs.MODEL, "llama.cpp loads the file and sets up a context");
  }

  @Override
  CheckResult run(Subject subject) {
    var check = new CheckResultBuilder(this, subject);
    String passed = "llama.cpp " + subject.runtime().version() + " loads it";
    try {
      LlamaModel model = subject.model();
      int tokens = subject.shared(Stage.LOAD, () -> contextTokens(subject, model));
      check
          .signal("llama_cpp", subject.runtime().version())
          .signal("parameters", model.parameters())
          .signal("layers", model.layers())
          .signal("context", tokens)
          .signal("warnings", model.warnings().size());
      for (NativeWarning warning : model.warnings()) {
        check.notes(Evidence.of("llama_cpp_warning", Severity.INFO, warning.toString()));
        if (!warning.harmless()) {
          passed += "; it warns: " + warning;
        }
      }
    } catch (GgufException e) {
      check.fails(Evidence.of("unloadable", Severity.CRITICAL, String.valueOf(e.getMessage())));
    } catch (LlamaException e) {
      if (e.kind() != LlamaException.Kind.MODEL && e.kind() != LlamaException.Kind.CONTEXT) {
        throw e;
      }
      check.fails(Evidence.of("unloadable", Severity.CRITICAL, String.valueOf(e.getMessage())));
    }
    return check.result(passed);
  }

  private static int contextTokens(Subject subject, LlamaModel model) {
    try (LlamaContext context = model.context(Prompts.context(subject))) {
      return context.contextTokens();
    }
  }
}
