package org.modeltracer.trace;

import java.util.List;
import java.util.Map;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;

/**
 * Anomalies of the run.
 *
 * @param total occurrences, repeats included
 * @param distinct how many are listed
 * @param unlisted how many found the list full
 * @param bySeverity occurrences of each severity
 * @param byKind occurrences of each kind
 * @param list the anomalies, in order of first occurrence
 */
record AnomalySummary(
    long total,
    int distinct,
    long unlisted,
    Map<Severity, Long> bySeverity,
    Map<AnomalyKind, Long> byKind,
    List<Anomaly> list) {}
