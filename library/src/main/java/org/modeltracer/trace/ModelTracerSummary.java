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
    line.append(counted(totalForwards, "forward pass", "es")).append(", ");
    line.append(anomaliesDetected == 1 ? "1 anomaly" : anomaliesDetected + " anomalies");
    append(line, attentionTraces, "attention row");
    append(line, logitTraces, "logit trace");
    append(line, kvSteps, "KV cache step");
    append(line, totalEvictions, "eviction");
    append(line, quantWarnings, "quantization warning");
    append(line, quantCriticals, "quantization critical");
    return line.toString();
  }

  private static void append(StringBuilder line, long count, String what) {
    if (count > 0) {
      line.append(", ").append(counted(count, what, "s"));
    }
  }

  private static String counted(long count, String what, String plural) {
    return count + " " + what + (count == 1 ? "" : plural);
  }
}
