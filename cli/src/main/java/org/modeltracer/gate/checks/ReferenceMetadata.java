package org.modeltracer.gate.checks;

import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;

/** Whether the file says what its reference says: parameters, vocabulary, template. */
final class ReferenceMetadata extends Check {
  ReferenceMetadata() {
    super(
        "reference.metadata",
        Needs.REFERENCE_FILE,
        "the reference's parameters, vocabulary, special tokens and chat template");
  }

  @Override
  CheckResult run(Subject subject) {
    GgufFile file;
    try {
      file = subject.file();
    } catch (GgufException e) {
      throw new NotApplicable("the file is malformed; see " + FileStructure.ID);
    }
    var check = new CheckResultBuilder(this, subject);
    FileDifferences.of(file, subject.referenceFile()).forEach(check::judge);
    return check.result("parameters, vocabulary and template are the reference's");
  }
}
