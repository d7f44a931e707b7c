package org.modeltracer.trace;

/**
 * The run in ten numbers, the first keys of {@code summary.json}.
 *
 * @param schemaVersion version of the JSON's layout
 * @param totalForwards number of forward passes
 * @param anomaliesDetected number of anomalies, repeats included
 * @param attentionTraces number of attention rows traced
 * @param logitTraces number of token scores traced
 * @param kvSteps number of KV cache states recorded
 * @param totalEvictions number of cells evicted
 * @param avgHitRate mean hit rate of the steps that looked something up, 0 to 1; NaN when none did
 * @param quantWarnings number of quantized tensors at level warning
 * @param quantCriticals number of quantized tensors at level critical
 */
public record ModelTracerSummary(
    int schemaVersion,
    long totalForwards,
    long anomaliesDetected,
    long attentionTraces,
    long logitTraces,
    long kvSteps,
    long totalEvictions,
    double avgHitRate,
    long quantWarnings,
    long quantCriticals) {

  /** Version of the layout that this release writes. */
  public static final int SCHEMA_VERSION = 1;

  /** One line for people. */
  @Override
  public String toString() {
    var line = new StringBuilder();
    line.append(totalForwards).append(" forward passes, ");
    line.append(anomaliesDetected).append(" anomalies");
    append(line, attentionTraces, "attention rows");
    append(line, logitTraces, "logit traces");
    append(line, kvSteps, "KV cache steps");
    append(line, totalEvictions, "evictions");
    append(line, quantWarnings, "quantization warnings");
    append(line, quantCriticals, "quantization criticals");
    return line.toString();
  }

  private static void append(StringBuilder line, long count, String what) {
    if (count > 0) {
      line.append(", ").append(count).append(' ').append(what);
    }
  }
}
