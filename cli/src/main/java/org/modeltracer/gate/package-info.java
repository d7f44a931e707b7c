/**
 * The gate: policy, checks, verdict, and the forms in which a CI job reads it.
 *
 * <p>Each {@link org.modeltracer.validate.Check} of the catalogue that the policy wants is asked of
 * a file; their results are a {@link org.modeltracer.validate.GateResult}, which the outputs write
 * down. Whatever hands a file to native code runs in a process of its own.
 */
@NullMarked
package org.modeltracer.gate;

import org.jspecify.annotations.NullMarked;
