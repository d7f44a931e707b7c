package org.modeltracer.trace;

import java.util.List;

/**
 * Errors against a reference model.
 *
 * @param tensors tensors compared
 * @param warnings number at level warning
 * @param criticals number at level critical
 * @param worst the worst of them, worst first
 */
record QuantizationSummary(
    long tensors, long warnings, long criticals, List<QuantizationErrorTrace> worst) {}
