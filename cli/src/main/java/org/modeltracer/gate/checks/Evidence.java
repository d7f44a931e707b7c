package org.modeltracer.gate.checks;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.model.CutText;

/**
 * One thing that a check found, with the place where it was found.
 *
 * @param rule class of the finding in snake case: an anomaly's kind, such as {@code nan}, or a name
 *     of the check's own, such as {@code zero_rows}
 * @param severity how bad it is
 * @param message one sentence for people
 * @param tensor tensor of the file or of the graph, null for none
 * @param op operation that made it, null for none
 * @param layer layer index, -1 for the embedding, null for none
 * @param offset byte of the file, null when it is no byte
 * @param cause the root cause of which this is a consequence, in one sentence; null where it is its
 *     own, or the cause is not known
 * @param file name of the shard that it is about, null where the model is one file, or all are
 *     meant
 */
public record Evidence(
    String rule,
    Severity severity,
    String message,
    @Nullable String tensor,
    @Nullable String op,
    @Nullable Integer layer,
    @Nullable Long offset,
    @Nullable String file,
    @Nullable String cause) {

  /** Cuts what may be a file's own words. */
  public Evidence {
    message = CutText.of(message);
    tensor = tensor == null ? null : CutText.of(tensor);
    op = op == null ? null : CutText.of(op);
    cause = cause == null ? null : CutText.of(cause);
  }

  /** Evidence that is its own cause, about a model that is one file, or about all of its files. */
  public Evidence(
      String rule,
      Severity severity,
      String message,
      @Nullable String tensor,
      @Nullable String op,
      @Nullable Integer layer,
      @Nullable Long offset) {
    this(rule, severity, message, tensor, op, layer, offset, null, null);
  }

  /** Evidence without a place. */
  public static Evidence of(String rule, Severity severity, String message) {
    return new Evidence(rule, severity, message, null, null, null, null);
  }

  /** Evidence about a tensor of the file or of the graph. */
  public static Evidence ofTensor(
      String rule, Severity severity, String tensor, @Nullable Integer layer, String message) {
    return new Evidence(rule, severity, message, tensor, null, layer, null);
  }

  /** Evidence about a byte of the file; a negative one for none. */
  public static Evidence ofByte(String rule, Severity severity, long offset, String message) {
    return new Evidence(rule, severity, message, null, null, null, offset < 0 ? null : offset);
  }

  /**
   * An anomaly as evidence. Where its root cause is known, the tensor is the guilty weight, or the
   * first node that went bad, and the operation is that node's.
   */
  public static Evidence of(Anomaly anomaly) {
    RootCause cause = anomaly.rootCause();
    if (cause == null) {
      return new Evidence(
          anomaly.kind().id(),
          anomaly.severity(),
          anomaly.message(),
          anomaly.tensor(),
          anomaly.op(),
          anomaly.layer(),
          null);
    }
    return new Evidence(
        anomaly.kind().id(),
        anomaly.severity(),
        anomaly.message(),
        cause.weight() == null ? cause.node() : cause.weight(),
        cause.op(),
        anomaly.layer(),
        null,
        null,
        cause.message());
  }

  /** The root cause itself, of which this is a consequence. */
  public Evidence ofItsCause() {
    return new Evidence(
        rule, severity, cause == null ? message : cause, tensor, op, null, offset, file, null);
  }

  /** The file that it is about: the model's, or the shard beside it. */
  public Path in(Path model) {
    return file == null ? model : model.resolveSibling(file);
  }
}
