/**
 * The gate: which checks are asked of a file, in which process, and what comes of it.
 *
 * <p>Each {@link org.modeltracer.gate.checks.Check} of the catalogue that the policy wants is asked
 * of a file; their results are a {@link org.modeltracer.gate.GateResult}, which the outputs write
 * down. Whatever hands a file to native code runs in a process of its own.
 */
@NullMarked
package org.modeltracer.gate;

import org.jspecify.annotations.NullMarked;
